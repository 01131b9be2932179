import type { Named } from './wire.ts'

/** A number so far behind the highest is taken for a repeat. */
const WINDOW = 1_024

/** A join, as long as somebody listens. Those that only interruptions separate have one `era`. */
export interface Period {
  readonly era: object
}

interface Numbers {
  readonly handed: Set<number>
  highest: number
  period: Period | undefined
  first: number
  /** The highest number before the period, if what lies between that and the first one was missed while away. */
  leftAt: number
}

/** Counts the numbers that publishers gave and that were not handed over, by a set of all that were. */
export class MissedCount {
  /** During a join, and between two of them; less those that came late. */
  missed = 0
  missedAway = 0
  /** The latter when they were noticed, whatever came late. */
  noticedAway = 0
  readonly #byOrigin = new Map<string, Numbers>()

  /** All of it, to see whether it has changed. */
  get sum(): string {
    return `${this.missed} ${this.missedAway} ${this.noticedAway}`
  }

  hand({ origin, sequence }: Named, period: Period): void {
    const numbers = this.#byOrigin.get(origin) ?? newNumbers()
    this.#byOrigin.set(origin, numbers)
    if (numbers.handed.has(sequence) || numbers.highest - sequence >= WINDOW) return
    numbers.handed.add(sequence)
    if (sequence > numbers.highest) this.#rise(numbers, sequence, period)
    else if (numbers.period === period && sequence > numbers.first) this.missed--
    else if (isComparable(numbers, period) && sequence > numbers.leftAt && sequence < numbers.first)
      this.missedAway--
  }

  /** The library has forgotten what it knew. */
  forget(): void {
    this.#byOrigin.clear()
  }

  #rise(numbers: Numbers, sequence: number, period: Period): void {
    const missed = sequence - numbers.highest - 1
    if (numbers.period === period) this.missed += missed
    else {
      const isAway = isComparable(numbers, period)
      if (isAway) {
        this.missedAway += missed
        this.noticedAway += missed
      }
      numbers.leftAt = isAway ? numbers.highest : sequence
      numbers.period = period
      numbers.first = sequence
    }
    numbers.highest = sequence
  }
}

function newNumbers(): Numbers {
  return { handed: new Set(), highest: 0, period: undefined, first: 0, leftAt: 0 }
}

function isComparable(numbers: Numbers, { era }: Period): boolean {
  return numbers.period?.era === era
}
