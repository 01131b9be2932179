import { withDeadline } from './deadline.ts'
import { deferred } from './deferred.ts'
import type { Counters } from './ledger.ts'

/** A barrier that is not answered within this has missed; two in a row mean that the connection is dead. */
const BARRIER_TIMEOUT_MS = 2_000
/** Barriers are at least this far apart, so that a fast publisher does not spend its time on them. */
const BARRIER_SPACING_MS = 20
const MISSES_TO_DOWN = 2

/** What in-flight accounting needs of the connection. */
export interface Barrier {
  nowMs(): number
  /** Resolves when the broker has everything that was sent before. */
  flush(signal: AbortSignal): Promise<void>
  /** Called when two barriers in a row were missed. */
  dead(cause: Error): void
}

/** Messages that one barrier will confirm, by the stream that counts them. */
class Batch {
  // Side by side, in the order of the frames: looking up what a stream has already would cost each frame more.
  readonly #counters: Counters[] = []
  readonly #messages: number[] = []
  readonly settled = deferred()

  get isEmpty(): boolean {
    return this.#counters.length === 0
  }

  add(counters: Counters, messages: number): void {
    const last = this.#counters.length - 1
    if (last >= 0 && this.#counters[last] === counters) (this.#messages[last] as number) += messages
    else {
      this.#counters.push(counters)
      this.#messages.push(messages)
    }
  }

  settle(outcome: 'confirmed' | 'unconfirmed'): void {
    for (const [index, counters] of this.#counters.entries()) {
      const messages = this.#messages[index] as number
      counters.count((counts) => {
        counts.inFlight -= messages
        counts[outcome] += messages
      })
    }
    this.settled.resolve()
  }
}

/**
 * Follows what was handed to the broker until a barrier confirms it, one barrier at a time, and bounds how much
 * that may be. One instance lives as long as its connection.
 */
export class InFlight {
  readonly #barrier: Barrier
  readonly #maxBytes: number
  /** Sent since the running barrier began. */
  #sent = new Batch()
  /** What the running barrier covers. */
  #covered: Batch | undefined
  /** Bytes that the client may still hold: freed by a barrier that is answered. */
  #bytes = 0
  #misses = 0
  #lastStartMs = Number.NEGATIVE_INFINITY
  /** When the oldest barrier that was not answered began. */
  #waitingSinceMs: number | undefined
  #timer: ReturnType<typeof setTimeout> | undefined
  readonly #gone = new AbortController()

  constructor(barrier: Barrier, maxBytes: number) {
    this.#barrier = barrier
    this.#maxBytes = maxBytes
  }

  /** Tells whether a frame of so many bytes may be sent. */
  hasRoom(bytes: number): boolean {
    return this.#bytes + bytes <= this.#maxBytes
  }

  /** Notes a frame that was sent, with the messages in it. */
  add(counters: Counters, messages: number, bytes: number): void {
    this.#bytes += bytes
    this.#sent.add(counters, messages)
    this.#schedule()
  }

  /** Resolves when everything noted so far is confirmed or unconfirmed. */
  async settled(): Promise<void> {
    if (!this.#sent.isEmpty) await this.#sent.settled.promise
    else await this.#covered?.settled.promise
  }

  /** Tells for how long the barrier that runs, and missed ones before it, have been waiting. */
  overdueMs(): number {
    return this.#waitingSinceMs === undefined ? 0 : this.#barrier.nowMs() - this.#waitingSinceMs
  }

  /** The connection is gone: whatever is in flight becomes unconfirmed. */
  abandon(): void {
    clearTimeout(this.#timer)
    this.#gone.abort()
    this.#covered?.settle('unconfirmed')
    this.#sent.settle('unconfirmed')
  }

  /** After a miss another barrier runs even if nothing was sent since, to tell whether the connection lives. */
  #schedule(): void {
    if (this.#timer !== undefined || this.#covered !== undefined) return
    if (this.#sent.isEmpty && this.#misses === 0) return
    // No longer than the spacing, also when the clock has stepped back.
    const sinceMs = Math.max(0, this.#barrier.nowMs() - this.#lastStartMs)
    const waitMs = Math.max(0, BARRIER_SPACING_MS - sinceMs)
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      void this.#run()
    }, waitMs)
  }

  async #run(): Promise<void> {
    const { signal } = this.#gone
    const covered = this.#sent
    const bytes = this.#bytes
    this.#covered = covered
    this.#sent = new Batch()
    this.#lastStartMs = this.#barrier.nowMs()
    this.#waitingSinceMs ??= this.#lastStartMs
    try {
      await withDeadline('The barrier', BARRIER_TIMEOUT_MS, signal, (deadline) =>
        this.#barrier.flush(deadline),
      )
      if (signal.aborted) return
      this.#misses = 0
      this.#waitingSinceMs = undefined
      this.#bytes -= bytes
      this.#finish(covered, 'confirmed')
    } catch (error) {
      if (signal.aborted) return
      this.#misses++
      this.#finish(covered, 'unconfirmed')
      if (this.#misses === MISSES_TO_DOWN) this.#barrier.dead(error as Error)
    }
  }

  #finish(covered: Batch, outcome: 'confirmed' | 'unconfirmed'): void {
    this.#covered = undefined
    covered.settle(outcome)
    this.#schedule()
  }
}
