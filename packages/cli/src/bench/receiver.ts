import type { Durations } from './durations.ts'
import { type BenchData, nowNs, PHASE } from './payload.ts'

/** Messages of a receiver in the measured time. */
export interface Arrived {
  readonly messages: number
  /** Time from the first to the last of them. */
  readonly seconds: number
}

/** Counts the messages of one subscriber. */
export class Receiver {
  readonly #latencies: Durations | undefined
  readonly #progressEvery: number
  readonly #progress: (count: number) => void
  readonly #first = deferred()
  #count = 0
  #timed = 0
  #ends = 0
  #firstNs = 0
  #lastNs = 0

  /**
   * `latencies` counts each message's latency, if the publisher's clock is this process's. `progress` is called with the
   * publisher's number of a message: of the first one, and each time `progressEvery` more have arrived.
   */
  constructor(latencies: Durations | undefined, progressEvery: number, progress: (count: number) => void) {
    this.#latencies = latencies
    this.#progressEvery = progressEvery
    this.#progress = progress
  }

  /** The number of arrived messages. */
  get count(): number {
    return this.#count
  }

  /** The number of arrived last messages of a stream. */
  get ends(): number {
    return this.#ends
  }

  /** Resolves when the first measured message has arrived. */
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
    this.#latencies?.record(now - at)
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
