import { expect, test } from 'vitest'
import { Clock, realEnvironment } from '../../src/base/environment.ts'
import { BackOff } from '../../src/connection/back-off.ts'

/** When an attempt fails, and the least wait before the next one. */
type Step = readonly [atMs: number, leastMs: number]

test.each<[string, number, Step[]]>([
  ['doubles up to a second', 0, [100, 200, 400, 500, 500].map((leastMs) => [0, leastMs])],
  [
    'grows to five seconds after a minute of failures, whenever the first of them was',
    100_000,
    [
      [0, 100],
      [1, 200],
      [2, 400],
      [3, 500],
      [59_999, 500],
      [60_000, 2_500],
      [9e9, 2_500],
    ],
  ],
])('the wait between attempts %s', (_, startMs, steps) => {
  let nowMs = 0
  const time = { clock: new Clock(() => nowMs), environment: { ...realEnvironment, random: () => 0 } }
  const backOff = new BackOff()
  for (const round of ['first', 'after a success']) {
    nowMs += startMs
    const failingSinceMs = nowMs
    for (const [atMs, leastMs] of steps) {
      nowMs = failingSinceMs + atMs
      expect([round, atMs, backOff.nextMs(time)]).toEqual([round, atMs, leastMs])
    }
    backOff.reset()
  }
})
