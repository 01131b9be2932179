/** A queue whose `shift` is O(1) amortized; that of an array is O(n). */
export class Fifo<Item> {
  #added: Item[] = []
  /** Older than all of `#added`; the oldest is the last. */
  #reversed: Item[] = []

  get size(): number {
    return this.#added.length + this.#reversed.length
  }

  push(item: Item): void {
    this.#added.push(item)
  }

  /** Removes the oldest item and returns it; `undefined` when there is none. */
  shift(): Item | undefined {
    if (this.#reversed.length === 0) {
      const added = this.#added
      this.#added = this.#reversed
      this.#reversed = added.reverse()
    }
    return this.#reversed.pop()
  }
}
