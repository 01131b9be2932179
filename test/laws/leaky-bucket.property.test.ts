import fc from 'fast-check'
import { expect, test } from 'vitest'
import { LeakyBucket } from '../../src/state/leaky-bucket.ts'

const runs = { numRuns: 2000 }
const rates = fc.oneof(
  fc.constant(0),
  fc.integer({ min: 1, max: 1000 }),
  fc.double({ min: 0.001, max: 1e5, noNaN: true }),
)
const bursts = fc.oneof(fc.integer({ min: 1, max: 100 }), fc.double({ min: 1, max: 1000, noNaN: true }))
const pauses = fc.oneof(
  fc.constant(0),
  fc.double({ min: 0, max: 50, noNaN: true }),
  fc.integer({ min: 0, max: 10_000 }),
)
const asks = fc.integer({ min: 1, max: 40 })

/** What the documented epsilon and the rounding of doubles may add up to. */
const SLACK = 1e-5

test('never admits more than burst + rate × T in any window', () => {
  const steps = fc.array(fc.tuple(pauses, asks), { minLength: 1, maxLength: 60 })
  fc.assert(
    fc.property(rates, bursts, steps, (rate, burst, script) => {
      const bucket = new LeakyBucket(rate, burst)
      const admitted: { atMs: number; count: number }[] = []
      let nowMs = 0
      for (const [pauseMs, ask] of script) {
        nowMs += pauseMs
        admitted.push({ atMs: nowMs, count: takeMany(bucket, nowMs, ask) })
      }
      expectBound(admitted, rate, burst)
    }),
    runs,
  )
})

test('never admits more than burst + rate × T of forward time, whatever the steps', () => {
  const jumps = fc.oneof(
    pauses,
    fc.integer({ min: -60_000, max: 0 }),
    fc.double({ min: -100, max: 0, noNaN: true }),
  )
  const steps = fc.array(fc.tuple(jumps, asks), { minLength: 1, maxLength: 60 })
  fc.assert(
    fc.property(rates, bursts, steps, (rate, burst, script) => {
      const bucket = new LeakyBucket(rate, burst)
      const admitted: { atMs: number; count: number }[] = []
      let nowMs = 0
      let forwardMs = 0
      for (const [jumpMs, ask] of script) {
        nowMs += jumpMs
        forwardMs += Math.max(0, jumpMs)
        admitted.push({ atMs: forwardMs, count: takeMany(bucket, nowMs, ask) })
      }
      expectBound(admitted, rate, burst)
    }),
    runs,
  )
})

test('always admits after retryAfterMs, whatever came before', () => {
  const jumps = fc.oneof(pauses, fc.integer({ min: -60_000, max: 0 }))
  const steps = fc.array(fc.tuple(jumps, asks), { minLength: 1, maxLength: 40 })
  fc.assert(
    fc.property(rates, bursts, steps, (rate, burst, script) => {
      const bucket = new LeakyBucket(rate, burst)
      let nowMs = 0
      for (const [jumpMs, ask] of script) {
        nowMs += jumpMs
        takeMany(bucket, nowMs, ask)
      }
      const waitMs = bucket.retryAfterMs(nowMs)
      expect(waitMs === 0).toBe(bucket.hasCapacity(nowMs))
      if (waitMs === Infinity) {
        expect(rate).toBe(0)
        return
      }
      expect(Number.isInteger(waitMs)).toBe(true)
      expect(bucket.take(nowMs + waitMs)).toBe(true)
    }),
    runs,
  )
})

test('admits the nth in the queue after its own retryAfterMs, when each is prompt', () => {
  const lines = fc.integer({ min: 1, max: 50 })
  fc.assert(
    fc.property(rates, bursts, lines, (rate, burst, line) => {
      // Where a millisecond leaks more than that, the bucket runs empty while whole milliseconds are waited for.
      fc.pre(rate > 0 && burst - 1 >= rate / 1000 + SLACK)
      const bucket = new LeakyBucket(rate, burst)
      takeMany(bucket, 0, 1001)
      const waitsMs = Array.from({ length: line }, (_, nth) => bucket.retryAfterMs(0, nth + 1))
      for (const waitMs of waitsMs) expect(bucket.take(waitMs)).toBe(true)
    }),
    runs,
  )
})

test('says that as many are available as it then admits', () => {
  fc.assert(
    fc.property(rates, bursts, fc.array(fc.tuple(pauses, asks), { maxLength: 20 }), (rate, burst, script) => {
      const bucket = new LeakyBucket(rate, burst)
      let nowMs = 0
      for (const [pauseMs, ask] of script) {
        nowMs += pauseMs
        takeMany(bucket, nowMs, ask)
      }
      const available = bucket.available(nowMs)
      expect(takeMany(bucket, nowMs, 2000)).toBe(available)
    }),
    runs,
  )
})

function takeMany(bucket: LeakyBucket, nowMs: number, ask: number): number {
  let count = 0
  for (let nth = 0; nth < ask; nth++) if (bucket.take(nowMs)) count++
  return count
}

function expectBound(
  admitted: readonly { atMs: number; count: number }[],
  rate: number,
  burst: number,
): void {
  for (const [from, first] of admitted.entries()) {
    let sum = 0
    for (const { atMs, count } of admitted.slice(from)) {
      sum += count
      expect(sum).toBeLessThanOrEqual(burst + (rate * (atMs - first.atMs)) / 1000 + SLACK)
    }
  }
}
