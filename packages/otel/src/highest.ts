/**
 * Keeps the highest value of each key. `missed` decreases when a message arrives late, and backends interpret a
 * decreasing counter as a restart: as a counter it keeps its value until that is exceeded.
 */
export class Highest<Key> {
  readonly #values = new Map<Key, number>()

  /** Records the current value, and returns the highest so far. */
  of(key: Key, value: number): number {
    const highest = Math.max(value, this.#values.get(key) ?? 0)
    this.#values.set(key, highest)
    return highest
  }
}
