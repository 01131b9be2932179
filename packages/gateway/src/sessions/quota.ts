/** Counts something by a name, such as an identity or the sid of a key, and knows how many of it each may have. */
export class Quota {
  readonly #most: number
  readonly #counts = new Map<string, number>()

  constructor(most: number) {
    this.#most = most
  }

  /** Returns whether that name has as many as it may have. */
  isUsedUp(name: string): boolean {
    return this.#countOf(name) >= this.#most
  }

  /** Counts one more, whether the quota is used up or not: a session that replaces another one counts beside it. */
  add(name: string): void {
    this.#counts.set(name, this.#countOf(name) + 1)
  }

  /** Counts one less. A name without any is not kept. */
  delete(name: string): void {
    const count = this.#countOf(name)
    if (count > 1) this.#counts.set(name, count - 1)
    else this.#counts.delete(name)
  }

  #countOf(name: string): number {
    return this.#counts.get(name) ?? 0
  }
}
