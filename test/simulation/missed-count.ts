import type { Named } from './wire.ts'

/** A number so far behind the highest is taken for a repeat. */
const WINDOW = 1_024

interface Numbers {
  readonly handed: Set<number>
  highest: number
  join: object | undefined
  first: number
}

/** Counts the numbers that publishers gave and that were not handed over during a join, by a set of all that were. */
export class MissedCount {
  missed = 0
  readonly #byOrigin = new Map<string, Numbers>()

  /** `join` is another object for each join. */
  hand({ origin, sequence }: Named, join: object): void {
    const numbers = this.#byOrigin.get(origin) ?? { handed: new Set(), highest: 0, join: undefined, first: 0 }
    this.#byOrigin.set(origin, numbers)
    if (numbers.handed.has(sequence) || numbers.highest - sequence >= WINDOW) return
    numbers.handed.add(sequence)
    const isSameJoin = numbers.join === join
    if (sequence > numbers.highest) {
      if (isSameJoin) this.missed += sequence - numbers.highest - 1
      else Object.assign(numbers, { join, first: sequence })
      numbers.highest = sequence
    } else if (isSameJoin && sequence > numbers.first) this.missed--
  }

  /** The library has forgotten what it knew. */
  forget(): void {
    this.#byOrigin.clear()
  }
}
