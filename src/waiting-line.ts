import type { LeakyBucket } from './leaky-bucket.ts'
import { Timer } from './timer.ts'

/** A checked message that waits for room, and what is to be done with it. */
export interface Waiter {
  /** There is room, already taken: publish it. */
  admit(nowMs: number): void
  /** The stream ended first. */
  refuse(): void
}

/** The one line in which waiters and kept values stand, first come first served, with one timer while it is not empty. */
export class WaitingLine {
  readonly #bucket: LeakyBucket
  readonly #nowMs: () => number
  readonly #timer: Timer
  // A Set keeps the order in which they came and lets go of one in the middle at O(1).
  readonly #waiters = new Set<Waiter>()

  constructor(bucket: LeakyBucket, nowMs: () => number) {
    this.#bucket = bucket
    this.#nowMs = nowMs
    this.#timer = new Timer(nowMs, () => this.#advance(), { holdsProcess: true })
  }

  get size(): number {
    return this.#waiters.size
  }

  join(waiter: Waiter, nowMs: number): void {
    this.#waiters.add(waiter)
    if (!this.#timer.isRunning) this.#wait(nowMs)
  }

  leave(waiter: Waiter): void {
    if (this.#waiters.delete(waiter) && this.size === 0) this.#timer.stop()
  }

  /** Refuses everybody who has not left by then: one who is told may have another one leave. */
  close(): void {
    this.#timer.stop()
    for (const waiter of this.#waiters) {
      this.#waiters.delete(waiter)
      waiter.refuse()
    }
  }

  #advance(): void {
    const nowMs = this.#nowMs()
    for (const waiter of this.#waiters) {
      if (!this.#bucket.take(nowMs)) break
      this.#waiters.delete(waiter)
      waiter.admit(nowMs)
    }
    // Who joined meanwhile has started the timer, and may have been admitted since.
    if (this.size > 0) this.#wait(nowMs)
    else this.#timer.stop()
  }

  #wait(nowMs: number): void {
    this.#timer.start(nowMs + this.#bucket.retryAfterMs(nowMs))
  }
}
