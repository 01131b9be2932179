/** Something that passes a gate. Neither function may throw. */
export interface Passing {
  /** Whose it is, for {@link Gate.drop}. */
  readonly owner: object
  readonly pass: () => void
  /** Runs instead of `pass` when it is dropped before. */
  readonly drop: (cause: unknown) => void
}

/** Lets everything through at once while open, and holds it in order while shut: a link that can freeze. */
export class Gate {
  #isShut = false
  #held: Passing[] = []

  get isShut(): boolean {
    return this.#isShut
  }

  shut(): void {
    this.#isShut = true
  }

  /** Lets through what was held, in the order in which it came. */
  open(): void {
    this.#isShut = false
    const held = this.#held
    this.#held = []
    for (const { pass } of held) pass()
  }

  /** Lets it pass now, or when the gate opens. */
  enter(passing: Passing): void {
    if (this.#isShut) this.#held.push(passing)
    else passing.pass()
  }

  /** Enters, and resolves once through. Rejects when `signal` aborts or the entry is dropped. */
  wait(owner: object, signal: AbortSignal, pass: () => void): Promise<void> {
    return new Promise((resolve, reject) => {
      const entry: Passing = {
        owner,
        pass: () => {
          signal.removeEventListener('abort', giveUp)
          pass()
          resolve()
        },
        drop: (cause) => {
          signal.removeEventListener('abort', giveUp)
          reject(cause)
        },
      }
      const giveUp = () => {
        this.#held = this.#held.filter((held) => held !== entry)
        reject(signal.reason)
      }
      if (signal.aborted) return reject(signal.reason)
      if (this.#isShut) signal.addEventListener('abort', giveUp)
      this.enter(entry)
    })
  }

  /** Drops what is held of one owner, or of all. */
  drop(cause: unknown, owner?: object): void {
    const isDropped = (held: Passing) => owner === undefined || held.owner === owner
    const dropped = this.#held.filter(isDropped)
    this.#held = this.#held.filter((held) => !isDropped(held))
    for (const { drop } of dropped) drop(cause)
  }
}
