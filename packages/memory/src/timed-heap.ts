interface Entry<T> {
  readonly item: T
  readonly dueMs: number
  readonly rank: number
}

/** Keeps items by the time at which they are due; those due at the same time come out as they went in. */
export class TimedHeap<T> {
  // Binary min-heap: no entry is earlier than its parent at (index - 1) >> 1.
  #entries: Entry<T>[] = []
  #nextRank = 0

  /** When the first item is due, `Infinity` when there is none. */
  get firstDueMs(): number {
    return this.#entries[0]?.dueMs ?? Number.POSITIVE_INFINITY
  }

  push(item: T, dueMs: number): void {
    this.#entries.push({ item, dueMs, rank: this.#nextRank++ })
    this.#rise(this.#entries.length - 1)
  }

  /** Takes the first item out; only when not empty. */
  shift(): T {
    const first = this.#entries[0] as Entry<T>
    const last = this.#entries.pop() as Entry<T>
    if (last !== first) {
      this.#entries[0] = last
      this.#sink(0)
    }
    return first.item
  }

  /** Takes out every item that matches. */
  remove(matches: (item: T) => boolean): T[] {
    const removed = this.#entries.filter(({ item }) => matches(item)).sort(byTime)
    // A sorted list is a heap.
    this.#entries = this.#entries.filter(({ item }) => !matches(item)).sort(byTime)
    return removed.map(({ item }) => item)
  }

  #rise(index: number): void {
    let at = index
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (!this.#isEarlier(at, parent)) return
      this.#swap(at, parent)
      at = parent
    }
  }

  #sink(index: number): void {
    let at = index
    for (;;) {
      const left = 2 * at + 1
      if (left >= this.#entries.length) return
      const right = left + 1
      const child = right < this.#entries.length && this.#isEarlier(right, left) ? right : left
      if (!this.#isEarlier(child, at)) return
      this.#swap(at, child)
      at = child
    }
  }

  #isEarlier(one: number, other: number): boolean {
    return byTime(this.#entries[one] as Entry<T>, this.#entries[other] as Entry<T>) < 0
  }

  #swap(one: number, other: number): void {
    const kept = this.#entries[one] as Entry<T>
    this.#entries[one] = this.#entries[other] as Entry<T>
    this.#entries[other] = kept
  }
}

function byTime(one: Entry<unknown>, other: Entry<unknown>): number {
  return one.dueMs - other.dueMs || one.rank - other.rank
}
