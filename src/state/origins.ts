const STREAMS_PER_PREFIX = 65_536

/** The first 12 hex digits of origins, and the number of streams that use them. */
interface Prefix {
  readonly digits: string
  streams: number
}

/**
 * Numbers the streams of a hub: an origin is a prefix of 12 hex digits and 4 that count its streams. The prefix is random,
 * or one that the backend has given. A hub that opens more than 65 536 streams takes further ones.
 */
export class Origins {
  readonly #random: () => number
  readonly #prefixes: Prefix[] = []
  #current: Prefix | undefined
  #given: readonly string[] = []

  constructor(random: () => number) {
    this.#random = random
  }

  /** Uses these prefixes from now on, in turn. Returns false when they equal the last ones. */
  use(prefixes: readonly string[]): boolean {
    if (prefixes.join() === this.#given.join()) return false
    this.#given = [...prefixes]
    this.#current = undefined
    return true
  }

  next(): string {
    if (this.#current === undefined || isFull(this.#current)) this.#current = this.#nextPrefix()
    const { digits, streams } = this.#current
    this.#current.streams++
    return digits + streams.toString(16).padStart(4, '0')
  }

  /** Returns whether a stream of this hub, open or closed, published under an origin. */
  has(origin: string): boolean {
    for (const { digits } of this.#prefixes) if (origin.startsWith(digits)) return true
    return false
  }

  /** Returns a given prefix with a free number, or a random one. */
  #nextPrefix(): Prefix {
    for (const digits of this.#given) {
      const known = this.#prefixes.find((prefix) => prefix.digits === digits)
      if (known === undefined) return this.#add(digits)
      if (!isFull(known)) return known
    }
    return this.#add(this.#sixDigits() + this.#sixDigits())
  }

  #add(digits: string): Prefix {
    const prefix = { digits, streams: 0 }
    this.#prefixes.unshift(prefix)
    return prefix
  }

  #sixDigits(): string {
    return Math.floor(this.#random() * 2 ** 24)
      .toString(16)
      .padStart(6, '0')
  }
}

function isFull({ streams }: Prefix): boolean {
  return streams === STREAMS_PER_PREFIX
}
