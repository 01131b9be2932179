import { describe, expect, test } from 'vitest'
import { type Delays, isStale, startDelays } from '../../src/receive/lateness.ts'

const MAX_AGE_MS = 5_000

/** When a message arrives, its delay, what is said of it, and when the last prompt barrier began, if one did. */
type Step = readonly [arrivalMs: number, delayMs: number, verdict: 'fresh' | 'stale', promptStartMs?: number]

/** The first delay is 100 at the time 0. Unless a step says otherwise, a prompt barrier began a moment before it. */
function run(steps: readonly Step[], maxAgeMs = MAX_AGE_MS): void {
  const delays = {} as Delays
  startDelays(delays, 100, 0)
  for (const [arrivalMs, delayMs, verdict, promptStartMs = arrivalMs - 0.5] of steps) {
    const isLate = isStale(delays, delayMs, arrivalMs, maxAgeMs, promptStartMs)
    expect(isLate ? 'stale' : 'fresh', `delay ${delayMs} at ${arrivalMs}`).toBe(verdict)
  }
}

const every = (
  stepMs: number,
  fromMs: number,
  count: number,
  delayMs: number,
  verdict: Step[2],
  ...barrier: number[]
) =>
  Array.from(
    { length: count },
    (_, nth) => [fromMs + nth * stepMs, delayMs, verdict, ...barrier] as unknown as Step,
  )

describe('a message', () => {
  test('is stale when it took more than the age limit longer than the fastest', () => {
    run([
      [1, 5_100, 'fresh'],
      [2, 5_101, 'stale'],
      [3, 100, 'fresh'],
    ])
  })

  test('is never stale without an age limit', () => {
    run([[1, 1e12, 'fresh']], Infinity)
  })
})

describe('the smallest delay', () => {
  test('is learned at once when a smaller one comes', () => {
    run([
      [1, -2_000, 'fresh'],
      [2, 3_000, 'fresh'],
      [3, 3_001, 'stale'],
    ])
  })

  test('is learned at once however small it is: a forged one can only mute for a while', () => {
    run([
      [1, -1e12, 'fresh'],
      [2, 100, 'stale'],
    ])
  })

  test('lives one to two minutes, so that clocks may drift', () => {
    run([
      [60_000, 4_000, 'fresh'],
      [61_000, 4_000, 'fresh'], // another minute begins
      [70_000, 4_000, 'fresh'],
      [121_001, 4_000, 'fresh'],
      [121_001, 5_221, 'fresh'], // the smallest of the minute before still counts, with two minutes' drift
      [121_001, 5_222.1, 'stale'],
      [122_002, 4_000, 'fresh'], // and now the 100 is forgotten
      [122_003, 9_000, 'fresh'],
      [122_004, 9_001, 'stale'],
    ])
  })

  test('grows with its age as fast as clocks may run apart, by a thousandth', () => {
    run([
      [3_600_000, 8_701, 'stale'],
      [3_600_000, 8_700, 'fresh'],
    ])
  })
})

describe('a stepped clock', () => {
  test('is believed when everything was equally late for the age limit of arrivals', () => {
    run([
      ...every(1_000, 0, 5, 20_000, 'stale'),
      [4_999, 20_500, 'stale'],
      [5_000, 20_000, 'fresh'],
      [5_001, 25_001, 'stale'],
    ])
  })

  test('is believed only once a barrier that began after the run was answered promptly', () => {
    run([...every(1_000, 10_000, 40, 20_000, 'stale', 10_000), [50_000, 20_000, 'fresh', 10_001]])
  })

  test('is not believed for a minute and longer without such a barrier', () => {
    run(every(1_000, 10_000, 300, 20_000, 'stale', 9_000))
  })

  test('is not believed in a backlog: its delays shrink', () => {
    run(Array.from({ length: 200 }, (_, nth): Step => [0, 65_000 - nth * 299, 'stale']))
    run(Array.from({ length: 40 }, (_, nth): Step => [nth * 300, 65_000 - nth * 600, 'stale']))
  })

  test('is not believed when delays differ by more than half a second', () => {
    run([
      [0, 20_000, 'stale'],
      [3_000, 20_501, 'stale'],
      [6_000, 20_000, 'stale'],
      [9_000, 20_501, 'stale'],
      [12_000, 20_000, 'stale'],
    ])
  })

  test('is not believed when two freezes made messages equally late: that is two moments', () => {
    run([
      [10_000, 6_100, 'stale'],
      [10_000, 6_100, 'stale'],
      [10_500, 6_100, 'stale'],
      [30_000, 6_100, 'stale'],
      [30_000, 6_100, 'stale'],
    ])
  })

  test('has to be shown anew after a fresh message', () => {
    run([
      ...every(1_000, 0, 5, 20_000, 'stale'),
      [4_500, 100, 'fresh'],
      [5_000, 20_000, 'stale'],
      [9_999, 20_000, 'stale'],
    ])
  })
})

describe('a publisher of whom everything is stale', () => {
  test('is heard again after a minute whatever its delays do, from the least of them on', () => {
    const swaying = (nth: number) => 100 + (nth % 2) * 600
    run([
      [1_000, -55_000, 'fresh'],
      ...Array.from(
        { length: 61 },
        (_, nth): Step => [2_000 + nth * 1_000, swaying(nth), nth < 60 ? 'stale' : 'fresh'],
      ),
      [63_001, 5_100, 'fresh'],
      [63_002, 5_104, 'stale'],
    ])
  })

  test('stays unheard after that minute while no barrier was answered promptly', () => {
    const swaying = (nth: number) => 10_000 + (nth % 2) * 600
    run(Array.from({ length: 300 }, (_, nth): Step => [1_000 + nth * 1_000, swaying(nth), 'stale', 0]))
  })

  test('may be slow: its second message may come a minute later', () => {
    run([
      [100_000, 9_000, 'stale'],
      [200_000, 20_000, 'stale'], // later than the least of the run, and believed to be
      [300_000, 14_000, 'fresh'],
      [300_001, 14_102, 'stale'],
    ])
    run([
      [100_000, 9_000, 'stale'],
      [160_000, 14_000, 'fresh'], // as much later than the least as it may be
    ])
  })
})
