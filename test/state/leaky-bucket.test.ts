import { describe, expect, test } from 'vitest'
import { LeakyBucket } from '../../src/state/leaky-bucket.ts'
import { remoteCeilingOf } from '../../src/state/receive-part.ts'

type Step = [atMs: number, ask: number, admitted: number]

/** Asks `ask` times at each time and expects that so many are admitted. */
const tables: readonly [what: string, ratePerSecond: number, burst: number, steps: readonly Step[]][] = [
  // Cf. TestLimiterBurst1 of golang.org/x/time/rate.
  [
    'a burst of 1 admits one message, then one a leaked message',
    10,
    1,
    [
      [0, 2, 1],
      [100, 2, 1],
      [200, 1, 1],
      [200, 1, 0],
      [299, 1, 0],
      [300, 1, 1],
    ],
  ],
  // Cf. TestLimiterBurst3.
  [
    'a burst of 3 admits three at once, then what has leaked',
    10,
    3,
    [
      [0, 4, 3],
      [100, 2, 1],
      [200, 1, 1],
      [300, 1, 1],
      [400, 1, 1],
      [900, 5, 3],
      [900, 1, 0],
    ],
  ],
  [
    'the default admits 30 at once and 30 a second',
    30,
    30,
    [
      [0, 31, 30],
      [33, 1, 0],
      [34, 1, 1],
      [1000, 30, 29],
      [1000, 1, 0],
      [2000, 40, 30],
    ],
  ],
  // Cf. TestZeroLimit; RELIABILITY 70.
  [
    'a rate of 0 admits the burst and nothing more, ever',
    0,
    2,
    [
      [0, 3, 2],
      [1e15, 1, 0],
    ],
  ],
  [
    'a fractional rate admits one message every two seconds',
    0.5,
    1,
    [
      [0, 1, 1],
      [1999, 1, 0],
      [2000, 1, 1],
      [3999, 1, 0],
      [4000, 1, 1],
    ],
  ],
  [
    'a fractional burst leaves no room for the part of a message',
    1,
    2.5,
    [
      [0, 3, 2],
      [499, 1, 0],
      [500, 1, 1],
      [1499, 1, 0],
      [1500, 1, 1],
    ],
  ],
  [
    'thirds of a millisecond add up',
    3000,
    1,
    [
      [0, 1, 1],
      [1 / 3, 1, 1],
      [2 / 3, 1, 1],
      [1, 1, 1],
      [1, 1, 0],
    ],
  ],
  // Cf. TestLimiterJumpBackwards; RELIABILITY 69.
  [
    'a clock that steps back leaks nothing and owes nothing',
    10,
    2,
    [
      [1000, 1, 1],
      [900, 1, 1],
      [900, 1, 0],
      [1000, 1, 0],
      [1099, 1, 0],
      [1100, 1, 1],
    ],
  ],
  [
    'a clock that is set back an hour leaks nothing until it has caught up',
    10,
    1,
    [
      [3_600_000, 2, 1],
      [0, 1, 0],
      [3_600_000, 1, 0],
      [3_600_099, 1, 0],
      [3_600_100, 2, 1],
    ],
  ],
  [
    'a clock that swings admits no more than one that stands',
    10,
    1,
    [
      [100, 1, 1],
      [0, 1, 0],
      [100, 1, 0],
      [0, 1, 0],
      [100, 1, 0],
      [200, 1, 1],
    ],
  ],
  [
    'a pause of a century fills the bucket no more than once',
    30,
    30,
    [
      [0, 30, 30],
      [3.2e12, 100, 30],
    ],
  ],
  [
    'a huge rate admits the burst at each millisecond',
    1e9,
    5,
    [
      [0, 9, 5],
      [1, 9, 5],
    ],
  ],
]

describe('the bucket', () => {
  test.each(tables)('%s', (_, ratePerSecond, burst, steps) => {
    const bucket = new LeakyBucket(ratePerSecond, burst)
    for (const [atMs, ask, admitted] of steps) {
      const outcomes = Array.from({ length: ask }, () => bucket.take(atMs))
      expect(outcomes.filter(Boolean).length, `at ${atMs} ms`).toBe(admitted)
    }
  })

  test('takes nothing by looking', () => {
    const bucket = new LeakyBucket(1, 1)
    for (let look = 0; look < 100; look++) expect(bucket.hasCapacity(0)).toBe(true)
    expect(bucket.take(0)).toBe(true)
    expect(bucket.hasCapacity(0)).toBe(false)
  })

  test('tells how many would fit now', () => {
    const bucket = new LeakyBucket(10, 3)
    expect(bucket.available(0)).toBe(3)
    bucket.take(0)
    bucket.take(0)
    expect(bucket.available(0)).toBe(1)
    bucket.take(0)
    expect(bucket.available(0)).toBe(0)
    expect(bucket.available(99)).toBe(0)
    expect(bucket.available(100)).toBe(1)
    expect(bucket.available(1e9)).toBe(3)
  })

  const waits: readonly [
    ratePerSecond: number,
    burst: number,
    taken: number,
    count: number,
    waitMs: number,
  ][] = [
    [30, 30, 29, 1, 0],
    [30, 30, 30, 1, 34], // 33.33 rounded up
    [30, 30, 30, 2, 67],
    [30, 30, 30, 31, 1034],
    [1000, 1, 1, 1, 1],
    [1e6, 1, 1, 1, 1],
    [0.5, 1, 1, 1, 2000],
    [0, 1, 1, 1, Infinity],
    [0, 2, 1, 1, 0],
    [Number.MIN_VALUE, 1, 1, 1, Infinity],
  ]
  test.each(waits)(
    'at %d a second with a burst of %d and %d taken has room for %d more after %d ms',
    (ratePerSecond, burst, taken, count, waitMs) => {
      const bucket = new LeakyBucket(ratePerSecond, burst)
      for (let nth = 0; nth < taken; nth++) bucket.take(0)
      expect(bucket.retryAfterMs(0, count)).toBe(waitMs)
    },
  )

  test('names a wait that is enough for a time read before the bucket was asked last', () => {
    const bucket = new LeakyBucket(10, 1)
    bucket.take(5000)
    expect(bucket.retryAfterMs(3000)).toBe(2100)
    expect(bucket.take(3000 + 2099)).toBe(false)
    expect(bucket.take(3000 + 2100)).toBe(true)
  })

  test('names a wait that is enough where the rounding of doubles eats into the epsilon', () => {
    const bucket = new LeakyBucket(0.001, 1)
    bucket.take(0)
    expect(bucket.take(bucket.retryAfterMs(0))).toBe(true)
  })

  // DESIGN 4: remote messages fill it only up to burst - max(1, burst / 4), at a burst of 1 not at all.
  test.each([
    [30, 22.5, 7],
    [4, 3, 1],
    [8, 6, 2],
    [3, 2, 1],
    [2, 1, 1],
    [1.5, 0.5, 1],
    [1, 0, 1],
  ])('with a burst of %d is filled from elsewhere up to %d, and has room for %d', (burst, ceiling, room) => {
    expect(remoteCeilingOf(burst)).toBe(ceiling)
    const bucket = new LeakyBucket(0, burst)
    for (let nth = 0; nth < 100; nth++) bucket.fill(0, remoteCeilingOf(burst))
    expect(bucket.available(0)).toBe(room)
  })

  test('is filled over its capacity where no ceiling is given, and leaks from there', () => {
    const bucket = new LeakyBucket(10, 2)
    for (let nth = 0; nth < 5; nth++) bucket.fill(0)
    expect(bucket.retryAfterMs(0)).toBe(400)
    expect([bucket.take(399), bucket.take(400), bucket.take(400)]).toEqual([false, true, false])
  })

  test('is not emptied by a ceiling that it is above', () => {
    const bucket = new LeakyBucket(0, 4)
    for (let nth = 0; nth < 4; nth++) bucket.take(0)
    bucket.fill(0, 3)
    expect(bucket.hasCapacity(0)).toBe(false)
  })
})
