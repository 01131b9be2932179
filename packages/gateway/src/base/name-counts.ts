/** Counts what there is of each name. Names of which there is nothing are not kept. */
export class NameCounts {
  readonly #counts = new Map<string, number>()

  of(name: string): number {
    return this.#counts.get(name) ?? 0
  }

  add(name: string): void {
    this.#counts.set(name, this.of(name) + 1)
  }

  delete(name: string): void {
    const count = this.of(name)
    if (count > 1) this.#counts.set(name, count - 1)
    else this.#counts.delete(name)
  }
}
