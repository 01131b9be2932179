import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Delays, isStale, startDelays } from '../../src/receive/lateness.ts'

const MAX_AGE_MS = 5_000
/** By how much clocks may run apart, over the two minutes that a smallest delay counts and the silence since. */
const DRIFT = 0.001
const TWO_SPANS_MS = 121_000

const pause = fc.oneof(
  fc.integer({ min: 0, max: 200 }),
  fc.integer({ min: 0, max: 7_000 }),
  fc.integer({ min: 0, max: 100_000 }),
)
const pauses = (minLength: number) => fc.array(pause, { minLength, maxLength: 15 })
const step = fc.oneof(
  fc.constant(0),
  fc.integer({ min: -10_000, max: 10_000 }),
  fc.integer({ min: -1_000_000, max: 1_000_000 }),
)
const rounds = fc.array(
  fc.record({ frozen: pauses(0), healthy: pauses(1), stepMs: step, afterStep: pauses(3) }),
  { minLength: 1, maxLength: 6 },
)

test('no message older than maxAgeMs is fresh after a freeze, whatever the clocks did', () => {
  let nowMs = 0
  let offsetMs = 0
  let promptStartMs = 0
  const delays = {} as Delays
  let stale = 0
  let heardMs = 0

  /** A message that was sent at a time and arrives now. */
  const arrive = (sentMs: number, sentOffsetMs: number) => {
    if (isStale(delays, nowMs - (sentMs + sentOffsetMs), nowMs, MAX_AGE_MS, promptStartMs)) stale++
    else expect(nowMs - sentMs).toBeLessThanOrEqual(MAX_AGE_MS + DRIFT * (nowMs - heardMs + TWO_SPANS_MS))
  }
  const hearNow = (after: readonly number[]) => {
    for (const pauseMs of after) {
      nowMs += pauseMs
      promptStartMs = nowMs - pauseMs / 2 // a barrier on a healthy link is answered
      arrive(nowMs, offsetMs)
      heardMs = nowMs
    }
  }

  fc.assert(
    fc.property(fc.integer({ min: -1e9, max: 1e9 }), rounds, (startOffsetMs, played) => {
      nowMs = 0
      heardMs = 0
      promptStartMs = 0
      offsetMs = startOffsetMs
      startDelays(delays, -offsetMs, 0)
      for (const { frozen, healthy, stepMs, afterStep } of played) {
        const sentMs: number[] = []
        for (const pauseMs of frozen) {
          sentMs.push(nowMs)
          nowMs += pauseMs
        }
        for (const atMs of sentMs) arrive(atMs, offsetMs)
        hearNow(healthy)
        offsetMs += stepMs
        hearNow(afterStep)
      }
    }),
    { numRuns: 2_000 },
  )
  expect(stale).toBeGreaterThan(2_000)
}, 120_000)
