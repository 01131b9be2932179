import { describe, expect, test } from 'vitest'
import { DelayBaseline, type Freshness } from '../src/delay-baseline.ts'

const MAX_AGE_MS = 5_000

/** Each step: when it arrives, its delay, and what is said of it. The first delay is 100 at the time 0. */
type Step = readonly [arrivalMs: number, delayMs: number, expected: Freshness]

function run(steps: readonly Step[], maxAgeMs = MAX_AGE_MS): void {
  const baseline = new DelayBaseline(100, 0)
  for (const [arrivalMs, delayMs, expected] of steps) {
    expect(baseline.judge(delayMs, arrivalMs, maxAgeMs), `delay ${delayMs} at ${arrivalMs}`).toBe(expected)
  }
}

const every = (stepMs: number, fromMs: number, count: number, delayMs: number, expected: Freshness): Step[] =>
  Array.from({ length: count }, (_, nth) => [fromMs + nth * stepMs, delayMs, expected])

describe('a delay baseline', () => {
  test('takes what is up to the age limit later than the smallest delay, and calls stale what is later', () => {
    run([
      [1, 5_100, 'fresh'],
      [2, 5_101, 'stale'],
      [3, 100, 'fresh'],
    ])
  })

  test('mutes an origin for a minute at the most: after that the least of its late delays is believed', () => {
    // A forgery of 55 s below, and a network that is never the same for 500 ms.
    const swaying = (nth: number) => 100 + (nth % 2) * 600
    const seconds = Array.from({ length: 61 }, (_, nth): Step => {
      return [2_000 + nth * 1_000, swaying(nth), nth < 60 ? 'stale' : 'fresh']
    })
    run([[1_000, -55_000, 'fresh'], ...seconds, [63_001, 5_100, 'fresh'], [63_002, 5_101, 'stale']])
  })

  test('takes arrivals at three moments to believe late delays, however far they are apart', () => {
    run([
      [100_000, 9_000, 'stale'],
      [200_000, 20_000, 'stale'],
      [300_000, 15_000, 'stale'], // the least was 9 s
      [300_001, 14_000, 'fresh'],
    ])
  })

  test('learns a smaller delay at once', () => {
    run([
      [1, -2_000, 'fresh'],
      [2, 3_000, 'fresh'],
      [3, 3_001, 'stale'],
    ])
  })

  test('calls nothing stale without an age limit', () => {
    run([[1, 1e12, 'fresh']], Number.POSITIVE_INFINITY)
  })

  test('lets the smallest delay live one to two minutes, so that clocks may drift', () => {
    run([
      [60_000, 4_000, 'fresh'],
      [60_001, 4_000, 'fresh'], // another minute begins
      [70_000, 4_000, 'fresh'],
      [100_000, 5_101, 'stale'], // the smallest of the minute before still counts
      [120_002, 4_000, 'fresh'], // and now the 100 is forgotten
      [120_003, 9_000, 'fresh'],
      [120_004, 9_001, 'stale'],
    ])
  })

  test('keeps the smallest delay over any silence: it lives until it is replaced', () => {
    run([[3_600_000, 5_101, 'stale']])
  })

  test('calls a delay more than a minute below malformed, and learns nothing of it', () => {
    run([[1, 100 - 60_000, 'fresh']])
    run([
      [1, 100 - 60_001, 'malformed'],
      [2, 5_100, 'fresh'],
      [3, 5_101, 'stale'],
    ])
  })

  test('believes far smaller delays, of which the least, when three in a row agree', () => {
    run([
      [1, -900_000, 'malformed'],
      [2, -900_400, 'malformed'],
      [3, -900_000, 'fresh'],
      [4, -895_400, 'fresh'],
      [5, -895_399, 'stale'],
    ])
  })

  test('calls stale what is late against a far smaller delay that is still in doubt', () => {
    run([
      [1, -60_300, 'malformed'],
      [2, -55_299, 'stale'],
      [3, -55_300, 'fresh'],
      [4, -50_299, 'stale'],
    ])
  })

  test('does not believe far smaller delays that disagree or are not in a row', () => {
    run([
      [1, -900_000, 'malformed'],
      [2, -800_000, 'malformed'],
      [3, -700_000, 'malformed'],
      [4, -700_000, 'malformed'],
      [5, 100, 'fresh'],
      [6, -700_000, 'malformed'],
      [7, -700_000, 'malformed'],
      [8, 5_101, 'stale'],
    ])
  })

  test('takes a delay that stays the same for the age limit of arrivals for a step of the clock', () => {
    run([
      ...every(1_000, 0, 5, 20_000, 'stale'),
      [4_999, 20_400, 'stale'],
      [5_000, 20_000, 'fresh'],
      [5_001, 25_001, 'stale'],
    ])
  })

  test('takes no backlog for a step: its delays shrink', () => {
    const backlog = Array.from({ length: 200 }, (_, nth): Step => [0, 65_000 - nth * 299, 'stale'])
    run(backlog)
    const slow = Array.from({ length: 40 }, (_, nth): Step => [nth * 300, 65_000 - nth * 600, 'stale'])
    run(slow)
  })

  test('takes delays that differ by more than half a second for no step', () => {
    run([
      [0, 20_000, 'stale'],
      [3_000, 20_501, 'stale'],
      [6_000, 20_000, 'stale'],
      [9_000, 20_501, 'stale'],
      [12_000, 20_000, 'stale'],
    ])
  })

  test('begins anew to wait for a step after a fresh message', () => {
    run([
      ...every(1_000, 0, 5, 20_000, 'stale'),
      [4_500, 100, 'fresh'],
      [5_000, 20_000, 'stale'],
      [9_999, 20_000, 'stale'],
    ])
  })

  test('takes messages that two freezes made equally late for no step', () => {
    run([
      [10_000, 6_100, 'stale'],
      [10_000, 6_100, 'stale'],
      [10_000, 6_100, 'stale'],
      [30_000, 6_100, 'stale'],
      [30_000, 6_100, 'stale'],
    ])
  })

  test('recognizes the step of a slow publisher by its third message', () => {
    run([
      [0, 20_000, 'stale'],
      [60_000, 20_000, 'stale'],
      [120_000, 20_000, 'fresh'],
    ])
  })
})
