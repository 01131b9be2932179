// Below this many taken items moving the rest costs more than it frees.
const FEW_TAKEN = 64

/** A queue whose `shift` is O(1) amortized; that of an array is O(n). */
export class Fifo<Item> {
  #items: (Item | undefined)[] = []
  #head = 0

  get size(): number {
    return this.#items.length - this.#head
  }

  push(item: Item): void {
    this.#items.push(item)
  }

  /** Removes the oldest item and returns it; `undefined` when there is none. */
  shift(): Item | undefined {
    if (this.size === 0) return undefined
    const item = this.#items[this.#head]
    this.#items[this.#head++] = undefined
    if (this.size === 0) this.clear()
    else if (this.#head > FEW_TAKEN && this.#head > this.size) {
      this.#items = this.#items.slice(this.#head)
      this.#head = 0
    }
    return item
  }

  clear(): void {
    this.#items = []
    this.#head = 0
  }
}
