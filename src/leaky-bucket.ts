// A wait of whole milliseconds must be enough although sums of doubles round: what is short of room by less than
// a millionth of a message counts as room.
const EPSILON = 1e-6

// A time that lies less than this back was read before slow user code ran; one that lies farther back comes from a
// clock that was set, and waiting until it catches up could take hours.
const LONGEST_LAG_MS = 10_000

// A clock costs a sixth of a publish. A large bucket with room for sure admits so many messages without looking at
// it: they count from the next look on, which is late but never too early, so the bound holds.
const MOST_UNTIMED = 64
const LARGE_BURST = 1_024

/**
 * Meters messages as a leaky bucket: `level` leaks at `ratePerSecond`, a message adds 1, and there is room while
 * that does not exceed `burst`. In any T seconds it admits at most `burst + ratePerSecond × T`.
 * Pure arithmetic over the time it is given, in milliseconds; nothing leaks while a clock steps back.
 * Source: ITU-T I.371, the generic cell rate algorithm, in its leaky-bucket form.
 */
export class LeakyBucket {
  readonly #ratePerMs: number
  readonly #burst: number
  readonly #mostUntimed: number
  #level = 0
  /** Messages that were admitted since the last look at the clock. */
  #untimed = 0
  /** Not a number before the first look at the clock. */
  #atMs = Number.NaN

  constructor(ratePerSecond: number, burst: number) {
    this.#ratePerMs = ratePerSecond / 1000
    this.#burst = burst
    this.#mostUntimed = burst < LARGE_BURST ? 0 : MOST_UNTIMED
  }

  /** Whether one more message fits whatever the time is: what leaks meanwhile only makes room. */
  get hasRoomAnyway(): boolean {
    return this.#untimed < this.#mostUntimed && this.#level + this.#untimed + 1 <= this.#burst
  }

  /** Adds a message for which there is room anyway. */
  takeAnyway(): void {
    this.#untimed++
  }

  /** Tells whether one more message would fit below `ceiling` (the burst, unless a lower one is given). */
  hasRoom(nowMs: number, ceiling = this.#burst): boolean {
    this.#leak(nowMs)
    return this.#level + 1 <= ceiling + EPSILON
  }

  /** Adds a message if there is room for it, and tells whether there was. */
  take(nowMs: number, ceiling = this.#burst): boolean {
    if (!this.hasRoom(nowMs, ceiling)) return false
    this.#level += 1
    return true
  }

  /** Counts the messages that would fit now. */
  available(nowMs: number): number {
    this.#leak(nowMs)
    return Math.max(0, Math.floor(this.#burst - this.#level + EPSILON))
  }

  /** Returns the whole milliseconds until `count` more messages fit; `Infinity` at a rate of 0. */
  retryAfterMs(nowMs: number, count = 1): number {
    this.#leak(nowMs)
    const excess = this.#level + count - this.#burst
    if (excess <= EPSILON) return 0
    // Half of it, so that the other half is left for rounding when the wait is over.
    return Math.ceil((excess - EPSILON / 2) / this.#ratePerMs + this.#atMs - nowMs)
  }

  /** The part of the burst that messages from other processes may fill, so that they cannot shut out our own. */
  get remoteCeiling(): number {
    return Math.max(1, this.#burst - Math.max(1, this.#burst / 4))
  }

  #leak(nowMs: number): void {
    const elapsedMs = nowMs - this.#atMs
    if (elapsedMs > 0) this.#level = Math.max(0, this.#level - elapsedMs * this.#ratePerMs)
    this.#level += this.#untimed
    this.#untimed = 0
    if (!(elapsedMs <= 0 && elapsedMs > -LONGEST_LAG_MS)) this.#atMs = nowMs
  }
}
