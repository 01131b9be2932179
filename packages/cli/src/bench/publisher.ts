import { setTimeout as delay, setImmediate as nextTurn } from 'node:timers/promises'
import { Durations } from './durations.ts'
import type { Flow } from './flow.ts'
import { type BenchData, nowNs, PHASE, type Phase, payloads } from './payload.ts'

/** Options of a publisher of the bench. */
export interface PublisherOptions {
  /** One function for each stream; they take turns. */
  readonly publish: readonly ((data: BenchData) => void)[]
  readonly flush: () => Promise<void>
  readonly flow: Flow
  readonly sizeBytes: number
  /** Messages a second; as many as the flow allows if undefined. */
  readonly ratePerSecond: number | undefined
}

/** Messages of a publisher in the measured time. */
export interface Published {
  readonly messages: number
  readonly seconds: number
}

/** Messages in one turn of the event loop. */
const TURN = 64
/** One call in so many is timed: reading a clock takes about as long as publishing. */
const TIMED_CALLS = 16

/** Publishes messages of one size, as fast as it may or at a rate. */
export class Publisher {
  /** The durations of calls of publish. */
  readonly calls = new Durations()
  readonly #options: PublisherOptions
  readonly #make: ReturnType<typeof payloads>
  #count = 0

  constructor(options: PublisherOptions) {
    this.#options = options
    this.#make = payloads(options.sizeBytes)
  }

  /** The number of published messages, the last ones of the streams included. */
  get count(): number {
    return this.#count
  }

  /** Warms up, measures, and publishes one last message on each stream. The measured time ends with a barrier. */
  async run(warmupMs: number, forMs: number, signal: AbortSignal): Promise<Published> {
    const { publish, flush } = this.#options
    await this.#publishFor(warmupMs, PHASE.warm, signal)
    await flush()
    const [before, startMs] = [this.#count, performance.now()]
    await this.#publishFor(forMs, PHASE.timed, signal)
    await flush()
    const [messages, seconds] = [this.#count - before, (performance.now() - startMs) / 1000]
    for (const end of publish) end(this.#make(this.#count++, PHASE.end))
    await flush()
    return { messages, seconds }
  }

  async #publishFor(durationMs: number, phase: Phase, signal: AbortSignal): Promise<void> {
    const { ratePerSecond, flow } = this.#options
    const [before, startMs] = [this.#count, performance.now()]
    for (;;) {
      const elapsedMs = performance.now() - startMs
      if (elapsedMs >= durationMs || signal.aborted) return
      const due =
        ratePerSecond === undefined ? TURN : dueBy(elapsedMs, ratePerSecond) - (this.#count - before)
      const most = Math.min(due, flow.capacity(this.#count))
      for (let sent = 0; sent < most; sent++) this.#publishOne(phase)
      if (flow.capacity(this.#count) <= 0) await flow.wait(this.#count)
      else await (ratePerSecond === undefined ? nextTurn() : delay(1))
    }
  }

  #publishOne(phase: Phase): void {
    const { publish } = this.#options
    const [n, data] = [this.#count, this.#make(this.#count, phase)]
    this.#count += 1
    const isTimed = phase === PHASE.timed && n % TIMED_CALLS === 0
    const startNs = isTimed ? nowNs() : 0
    publish[n % publish.length]?.(data)
    if (isTimed) this.calls.record(nowNs() - startNs)
  }
}

/** Returns the number of messages due: the first at once, each other by elapsed time, even if timers are late. */
function dueBy(elapsedMs: number, ratePerSecond: number): number {
  return 1 + Math.floor((elapsedMs * ratePerSecond) / 1000)
}
