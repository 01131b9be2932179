// A wait of whole milliseconds must be enough although sums of doubles round: what is short of room by less than
// a millionth of a message counts as room.
const EPSILON = 1e-6

/**
 * Meters messages as a leaky bucket: `level` leaks at `ratePerSecond`, a message adds 1, and there is room while
 * that does not exceed `capacity`. In any T seconds `take` admits at most `capacity + ratePerSecond × T`.
 * Pure arithmetic over the time it is given, in milliseconds; nothing leaks while that goes back.
 * Source: ITU-T I.371, the generic cell rate algorithm, in its leaky-bucket form.
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

  /** Tells whether one more message fits. */
  hasRoom(nowMs: number): boolean {
    this.#leak(nowMs)
    return this.#level + 1 <= this.#capacity + EPSILON
  }

  /** Adds a message if there is room for it, and tells whether there was. */
  take(nowMs: number): boolean {
    if (!this.hasRoom(nowMs)) return false
    this.#level += 1
    return true
  }

  /** Adds a message whether or not there is room, but never fills above `ceiling`. */
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
    this.#leak(nowMs)
    const excess = this.#level + count - this.#capacity
    if (excess <= EPSILON) return 0
    // Half of it, so that the other half is left for rounding when the wait is over.
    return Math.ceil((excess - EPSILON / 2) / this.#ratePerMs + this.#atMs - nowMs)
  }

  #leak(nowMs: number): void {
    const elapsedMs = nowMs - this.#atMs
    if (elapsedMs <= 0) return
    this.#level = Math.max(0, this.#level - elapsedMs * this.#ratePerMs)
    this.#atMs = nowMs
  }
}
