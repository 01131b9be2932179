interface Waiting<T> {
  readonly item: T
  readonly delayMs: number
  /** Count of the lane at which the item goes on. */
  readonly until: number
}

/**
 * Reorders what one sender sends to one receiver: an item that lets others pass goes on once that many later ones
 * were sent. It counts items, not time, so that the order is the same in every run. Who uses it must also let an
 * item go on after {@link MAX_HOLD_MS}, since nothing may follow.
 */
export class Lane<T> {
  readonly #goOn: (item: T, delayMs: number) => void
  #count = 0
  #waiting: Waiting<T>[] = []

  constructor(goOn: (item: T, delayMs: number) => void) {
    this.#goOn = goOn
  }

  /** Sends an item, and then those that have let enough others pass. */
  send(item: T, delayMs: number, letsPass: number): void {
    this.#count += 1
    if (letsPass === 0) this.#goOn(item, delayMs)
    else this.#waiting.push({ item, delayMs, until: this.#count + letsPass })
    const released = this.#waiting.filter(({ until }) => until <= this.#count)
    if (released.length === 0) return
    this.#waiting = this.#waiting.filter(({ until }) => until > this.#count)
    for (const waiting of released) this.#goOn(waiting.item, waiting.delayMs)
  }
}

/** The longest that a frame is held back. */
export const MAX_HOLD_MS = 20
