/** Fails when more than `capacity + rate × T` pass in any T seconds: the limit's promise, counted another way. */
export class RateMeter {
  readonly #ratePerMs: number
  readonly #capacity: number
  #level = 0
  #lastMs = 0

  constructor(ratePerSecond: number, capacity: number) {
    this.#ratePerMs = ratePerSecond / 1_000
    this.#capacity = capacity
  }

  /** Counts one, at a time of the hub's own clock; tells whether the promise holds. */
  add(atMs: number): boolean {
    this.#level = Math.max(0, this.#level - (atMs - this.#lastMs) * this.#ratePerMs) + 1
    this.#lastMs = atMs
    return this.#level <= this.#capacity + 0.001
  }
}
