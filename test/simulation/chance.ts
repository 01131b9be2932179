/** Draws numbers from a seed: the same path gives the same numbers on every machine. Source: mulberry32. */
export class Chance {
  #state: number

  /** The parts of the path tell independent sources of one seed apart. */
  constructor(...path: readonly number[]) {
    this.#state = 0x9e3779b9
    for (const part of path) this.#state = scrambled(this.#state ^ (part >>> 0)) ^ Math.floor(part / 2 ** 32)
  }

  /** Draws a number from 0 up to, but not including, 1. */
  readonly next = (): number => {
    this.#state = (this.#state + 0x6d2b79f5) | 0
    return scrambled(this.#state) / 2 ** 32
  }

  /** Draws a whole number below `end`. */
  below(end: number): number {
    return Math.floor(this.next() * end)
  }

  /** Draws a whole number, both bounds included. */
  between(least: number, most: number): number {
    return least + this.below(most - least + 1)
  }

  isHit(chance: number): boolean {
    return chance > 0 && this.next() < chance
  }

  pick<Item>(items: readonly Item[]): Item {
    return items[this.below(items.length)] as Item
  }

  /** Picks a name by weights. */
  pickWeighted<Name extends string>(weights: Readonly<Record<Name, number>>): Name {
    const entries = Object.entries(weights) as [Name, number][]
    let rest = this.next() * entries.reduce((sum, [, weight]) => sum + weight, 0)
    for (const [name, weight] of entries) {
      rest -= weight
      if (rest < 0) return name
    }
    return (entries[0] as [Name, number])[0]
  }

  /** Draws a seed for a source of its own. */
  seed(): number {
    return this.below(2 ** 32)
  }
}

function scrambled(word: number): number {
  let mixed = Math.imul(word ^ (word >>> 15), word | 1)
  mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
  return (mixed ^ (mixed >>> 14)) >>> 0
}
