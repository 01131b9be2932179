/** Counts the joins of each identity, over all its pages. */
export class IdentityJoins {
  readonly #most: number
  readonly #counts = new Map<string, number>()

  constructor(most: number) {
    this.#most = most
  }

  /** Counts one more join. Returns false, and counts nothing, when the identity has as many as it may. */
  add(identity: string): boolean {
    const count = this.#counts.get(identity) ?? 0
    if (count >= this.#most) return false
    this.#counts.set(identity, count + 1)
    return true
  }

  /** A join that was counted is over. */
  delete(identity: string): void {
    const count = this.#counts.get(identity) ?? 0
    if (count > 1) this.#counts.set(identity, count - 1)
    else this.#counts.delete(identity)
  }
}
