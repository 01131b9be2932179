import { describe, expect, test } from 'vitest'
import { ReplayWindow, WINDOW_SIZE } from '../src/replay-window.ts'

describe('a replay window', () => {
  test('knows 1024 numbers back', () => {
    expect(WINDOW_SIZE).toBe(1024)
  })

  test('starts at the first number heard', () => {
    const window = new ReplayWindow(5_000)
    expect(window.highest).toBe(5_000)
    expect(window.place(5_000)).toBe('seen')
    expect(window.place(5_001)).toBe('ahead')
    expect(window.place(4_999)).toBe('behind')
    expect(window.place(5_000 - 1_023)).toBe('behind')
    expect(window.place(5_000 - 1_024)).toBe('old')
  })

  test('slides with the highest, and forgets what it slides over', () => {
    const window = new ReplayWindow(1)
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
    const window = new ReplayWindow(10)
    window.mark(20)
    expect(window.place(15)).toBe('behind')
    window.mark(15)
    expect(window.place(15)).toBe('seen')
    expect(window.highest).toBe(20)
  })

  test('works up to 2⁵³−1', () => {
    const window = new ReplayWindow(2 ** 53 - 3)
    window.mark(2 ** 53 - 1)
    expect(window.place(2 ** 53 - 1)).toBe('seen')
    expect(window.place(2 ** 53 - 2)).toBe('behind')
    expect(window.place(2 ** 53 - 3)).toBe('seen')
  })

  test('forgets everything when it is reset', () => {
    const window = new ReplayWindow(100)
    window.mark(101)
    window.reset(50)
    expect(window.highest).toBe(50)
    expect(window.place(49)).toBe('behind')
    expect(window.place(100)).toBe('ahead')
    window.reset(60)
    expect([50, 59, 60].map((number) => window.place(number))).toEqual(['behind', 'behind', 'seen'])
  })
})
