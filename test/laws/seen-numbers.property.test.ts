import fc from 'fast-check'
import { expect, test } from 'vitest'
import { SeenNumbers, WINDOW_SIZE } from '../../src/receive/seen-numbers.ts'

/** The same by a list of everything that came. */
class Model {
  highest: number
  readonly #seen = new Set<number>()

  constructor(first: number) {
    this.highest = first
    this.#seen.add(first)
  }

  place(number: number): string {
    if (number > this.highest) return 'ahead'
    if (this.highest - number >= WINDOW_SIZE) return 'old'
    return this.#seen.has(number) ? 'seen' : 'behind'
  }

  mark(number: number): void {
    this.#seen.add(number)
    this.highest = Math.max(this.highest, number)
  }
}

test('the record of seen numbers places every number as a list of all of them would', () => {
  const start = fc.oneof(
    fc.integer({ min: 1, max: 5_000 }),
    fc.integer({ min: 2 ** 53 - 200_000, max: 2 ** 53 - 100_000 }),
  )
  const step = fc.oneof(
    { weight: 6, arbitrary: fc.integer({ min: -40, max: 40 }) },
    { weight: 2, arbitrary: fc.integer({ min: -1_100, max: 1_100 }) },
    { weight: 1, arbitrary: fc.constantFrom(-1_024, -1_023, 31, 32, 33, 1_023, 1_024, 1_056, 1_057, 3_000) },
  )
  // How many more follow in a row.
  const row = fc.oneof(
    { weight: 8, arbitrary: fc.nat({ max: 3 }) },
    { weight: 2, arbitrary: fc.nat({ max: 70 }) },
    { weight: 1, arbitrary: fc.constantFrom(991, 992, 1_023, 1_024, 1_055, 1_056, 3_000) },
  )
  const steps = fc.array(fc.tuple(step, row), { maxLength: 60 })
  fc.assert(
    fc.property(start, steps, (first, moves) => {
      const window = new SeenNumbers()
      window.mark(first)
      const model = new Model(first)
      for (const size of moves.flatMap(([size, row]) => [size, ...Array<number>(row).fill(1)])) {
        const number = Math.min(2 ** 53 - 1, Math.max(1, model.highest + size))
        const place = window.place(number)
        // `expect` takes longer than all the rest here, so it is called for what it will say something about.
        if (place !== model.place(number))
          expect({ number, place }).toEqual({ number, place: model.place(number) })
        if (place === 'seen' || place === 'old') continue
        window.mark(number)
        model.mark(number)
        if (window.highest !== model.highest) expect(window.highest).toBe(model.highest)
      }
      expect(window.highest).toBe(model.highest)
    }),
    { numRuns: 2_000 },
  )
})
