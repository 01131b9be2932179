import type { Durations } from './durations.ts'
import { type BenchData, nowNs, PHASE } from './payload.ts'

/** Messages of a receiver in the measured time. */
export interface Arrived {
  readonly messages: number
  /** From the first of them to the last one. */
  readonly seconds: number
}

/** Counts what one subscriber gets. */
export class Receiver {
  readonly #ways: Durations | undefined
  readonly #progressEvery: number
  readonly #progress: (count: number) => void
  readonly #first = deferred()
  #count = 0
  #timed = 0
  #ends = 0
  #firstNs = 0
  #lastNs = 0

  /**
   * `ways` takes how long each message was on its way, where the publisher's clock is this process's. `progress` is
   * called with the publisher's number for a message: for the first one, and each time `progressEvery` more have come.
   */
  constructor(ways: Durations | undefined, progressEvery: number, progress: (count: number) => void) {
    this.#ways = ways
    this.#progressEvery = progressEvery
    this.#progress = progress
  }

  /** How many have come in all. */
  get count(): number {
    return this.#count
  }

  /** How many last messages of a stream have come. */
  get ends(): number {
    return this.#ends
  }

  /** Resolves when the first message that is measured has come. */
  get first(): Promise<void> {
    return this.#first.promise
  }

  take({ n, at, phase }: BenchData): void {
    const now = nowNs()
    this.#count += 1
    if (this.#count === 1 || this.#count % this.#progressEvery === 0) this.#progress(n + 1)
    if (phase === PHASE.end) this.#ends += 1
    if (phase !== PHASE.timed) return
    if (this.#timed === 0) {
      this.#firstNs = now
      this.#first.resolve()
    }
    this.#timed += 1
    this.#lastNs = now
    this.#ways?.record(now - at)
  }

  arrived(): Arrived {
    return { messages: this.#timed, seconds: (this.#lastNs - this.#firstNs) / 1e9 }
  }
}

function deferred() {
  let resolve = () => {}
  const promise = new Promise<void>((resolved) => {
    resolve = resolved
  })
  return { promise, resolve }
}
