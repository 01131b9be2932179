// A wait of whole milliseconds must be enough although sums of doubles round: a message fits when less than a millionth
// of it exceeds the capacity.
const EPSILON = 1e-6

/**
 * Meters messages as a leaky bucket: `level` leaks at `ratePerSecond`, a message adds 1, and it fits if the level does
 * not exceed `capacity` then. In any T seconds `take` admits at most `capacity + ratePerSecond × T`. Pure arithmetic
 * over the time it is given, in milliseconds; nothing leaks while that goes back. Source: ITU-T I.371, the generic cell
 * rate algorithm, in its leaky-bucket form.
 */
export class LeakyBucket {
  readonly #ratePerMs: number
  readonly #capacity: number
  #level = 0
  #atMs = -Number.MAX_VALUE

  constructor(ratePerSecond: number, capacity: number) {
    this.#ratePerMs = ratePerSecond / 1000
    this.#capacity = capacity
  }

  /** Returns whether one more message fits. */
  hasCapacity(nowMs: number): boolean {
    this.#leak(nowMs)
    return this.#level + 1 <= this.#capacity + EPSILON
  }

  /** Adds a message if it fits, and returns whether it did. */
  take(nowMs: number): boolean {
    if (!this.hasCapacity(nowMs)) return false
    this.#level += 1
    return true
  }

  /**
   * Adds a message at the time from which it fits, if that is not after `nowMs`; not before `fromMs`. So a late timer
   * admits as many messages as a punctual one.
   */
  takeDue(fromMs: number, nowMs: number): boolean {
    const excess = this.#level + 1 - this.#capacity
    if (excess <= EPSILON) return this.take(fromMs)
    const dueMs = Math.max(fromMs, this.#atMs + (excess - EPSILON / 2) / this.#ratePerMs)
    return dueMs <= nowMs && this.take(dueMs)
  }

  /** Adds a message whether or not it fits, but never fills above `ceiling`. */
  fill(nowMs: number, ceiling = Infinity): void {
    this.#leak(nowMs)
    this.#level = Math.max(this.#level, Math.min(this.#level + 1, ceiling))
  }

  /** Counts the messages that would fit now. */
  available(nowMs: number): number {
    this.#leak(nowMs)
    return Math.max(0, Math.floor(this.#capacity - this.#level + EPSILON))
  }

  /** Returns the whole milliseconds until `count` more messages fit; `Infinity` at a rate of 0. */
  retryAfterMs(nowMs: number, count = 1): number {
    // Without a write: capacity that leaked below zero may still go to waiting messages, see `takeDue`.
    const level = Math.max(0, this.#level - Math.max(0, nowMs - this.#atMs) * this.#ratePerMs)
    const atMs = Math.max(this.#atMs, nowMs)
    const excess = level + count - this.#capacity
    if (excess <= EPSILON) return 0
    // Half of it, so that the other half is left for rounding when the wait is over.
    return Math.ceil((excess - EPSILON / 2) / this.#ratePerMs + atMs - nowMs)
  }

  #leak(nowMs: number): void {
    const elapsedMs = nowMs - this.#atMs
    if (elapsedMs <= 0) return
    this.#level = Math.max(0, this.#level - elapsedMs * this.#ratePerMs)
    this.#atMs = nowMs
  }
}
