const STREAMS_PER_PREFIX = 65_536

/**
 * Numbers the streams of a hub: an origin is 12 random hex digits of the hub and 4 that count its streams. A hub that
 * opens more than 65 536 takes further 12 digits.
 */
export class Origins {
  readonly #random: () => number
  readonly #prefixes: string[] = []
  #streams = 0

  constructor(random: () => number) {
    this.#random = random
  }

  next(): string {
    const index = this.#streams++ % STREAMS_PER_PREFIX
    if (index === 0) this.#prefixes.unshift(this.#sixDigits() + this.#sixDigits())
    return this.#prefixes[0] + index.toString(16).padStart(4, '0')
  }

  /** Tells whether a stream of this hub, open or closed, published under an origin. */
  has(origin: string): boolean {
    for (const prefix of this.#prefixes) if (origin.startsWith(prefix)) return true
    return false
  }

  #sixDigits(): string {
    return Math.floor(this.#random() * 2 ** 24)
      .toString(16)
      .padStart(6, '0')
  }
}
