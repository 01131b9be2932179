/**
 * Keeps the highest value of each key. `missed` falls when a message comes late after all, and a counter that falls
 * is taken for one that began anew: as a counter it stays where it was until it is passed.
 */
export class Highest<Key> {
  readonly #values = new Map<Key, number>()

  /** Takes the value of now, and gives the highest so far. */
  of(key: Key, value: number): number {
    const highest = Math.max(value, this.#values.get(key) ?? 0)
    this.#values.set(key, highest)
    return highest
  }
}
