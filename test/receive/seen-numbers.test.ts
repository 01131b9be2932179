import { describe, expect, test } from 'vitest'
import { SeenNumbers, WINDOW_SIZE } from '../../src/receive/seen-numbers.ts'

function seenFrom(first: number): SeenNumbers {
  const window = new SeenNumbers()
  window.mark(first)
  return window
}

describe('the record of seen numbers', () => {
  test('knows 1024 numbers back', () => {
    expect(WINDOW_SIZE).toBe(1024)
  })

  test('starts at the first number heard', () => {
    const window = seenFrom(5_000)
    expect(window.highest).toBe(5_000)
    expect(window.place(5_000)).toBe('seen')
    expect(window.place(5_001)).toBe('ahead')
    expect(window.place(4_999)).toBe('behind')
    expect(window.place(5_000 - 1_023)).toBe('behind')
    expect(window.place(5_000 - 1_024)).toBe('old')
  })

  test('slides with the highest, and forgets what it slides over', () => {
    const window = seenFrom(1)
    for (let number = 2; number <= 3_000; number++) window.mark(number)
    for (let number = 3_000; number > 3_000 - 1_024; number--) expect(window.place(number)).toBe('seen')
    window.mark(3_000 + 1_023)
    expect(window.place(3_000)).toBe('seen')
    expect(window.place(3_001)).toBe('behind')
    window.mark(1_000_000)
    for (let number = 999_999; number > 1_000_000 - 1_024; number--)
      expect(window.place(number)).toBe('behind')
  })

  test('tells a number that came late from one that came twice', () => {
    const window = seenFrom(10)
    window.mark(20)
    expect(window.place(15)).toBe('behind')
    window.mark(15)
    expect(window.place(15)).toBe('seen')
    expect(window.highest).toBe(20)
  })

  test('works up to 2⁵³−1', () => {
    const window = seenFrom(2 ** 53 - 3)
    window.mark(2 ** 53 - 1)
    expect(window.place(2 ** 53 - 1)).toBe('seen')
    expect(window.place(2 ** 53 - 2)).toBe('behind')
    expect(window.place(2 ** 53 - 3)).toBe('seen')
  })

  test('takes any number as its first, and later a step of 65 536 at most', () => {
    const window = new SeenNumbers()
    expect([1, 65_537, 2 ** 53 - 1].map((number) => window.place(number))).toEqual(Array(3).fill('ahead'))
    window.mark(100)
    expect([65_636, 65_637].map((number) => window.place(number))).toEqual(['ahead', 'far'])
  })
})
