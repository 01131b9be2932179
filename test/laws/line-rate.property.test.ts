import fc from 'fast-check'
import type { Environment, Stream } from 'rivulet'
import { createHubIn } from 'rivulet/testing'
import { expect, test } from 'vitest'
import { HandMadeEnvironment } from '../support/hand-made-environment.ts'

/** How late the line may let through what was due, as the manual says. */
const MOST_DUE_MS = 2

interface Run {
  readonly time: HandMadeEnvironment
  readonly stream: Stream
  /** When each message was delivered. */
  readonly admittedMs: number[]
}

/** A stream whose timers take a millisecond at least, and come late by so much in turn. */
function open(latenessMs: readonly number[], ratePerSecond: number, burst: number): Run {
  const time = new HandMadeEnvironment()
  let nth = 0
  const environment: Environment = {
    nowMs: () => time.nowMs(),
    dateMs: () => time.dateMs(),
    random: () => time.random(),
    setTimer: (action, waitMs) =>
      time.setTimer(action, Math.max(1, waitMs) + (latenessMs[nth++ % latenessMs.length] as number)),
  }
  const limit = { ratePerSecond, burst }
  const stream = createHubIn(environment, {}).stream('s', { limit, maxWaiting: 10_000 }) as Stream
  const admittedMs: number[] = []
  stream.subscribe(() => admittedMs.push(time.nowMs()))
  return { time, stream, admittedMs }
}

/** The most by which the messages of any window exceed what its length allows. */
function excessOf(admittedMs: readonly number[], ratePerSecond: number, burst: number): number {
  let most = -Infinity
  let least = Infinity
  for (const [nth, atMs] of admittedMs.entries()) {
    const ahead = nth - (atMs * ratePerSecond) / 1_000
    least = Math.min(least, ahead)
    most = Math.max(most, ahead + 1 - least)
  }
  return most - burst - (MOST_DUE_MS * ratePerSecond) / 1_000
}

const acts = fc.oneof(
  fc.record({ verb: fc.constantFrom('publish', 'wait'), times: fc.integer({ min: 1, max: 40 }) }),
  fc.record({ verb: fc.constant('pass'), times: fc.constantFrom(0.05, 0.3, 1, 1.7, 10, 500) }),
)

test('no window has more than the burst, the rate, and two milliseconds of arrears', async () => {
  const rates = fc.constantFrom(3, 30, 700, 10_000)
  const bursts = fc.constantFrom(1, 2.5, 30)
  const lateness = fc.array(fc.constantFrom(0, 0.15, 0.8, 3, 40), { minLength: 1, maxLength: 5 })
  await fc.assert(
    fc.asyncProperty(
      rates,
      bursts,
      lateness,
      fc.array(acts, { maxLength: 30 }),
      async (rate, burst, late, script) => {
        const { time, stream, admittedMs } = open(late, rate, burst)
        for (const { verb, times } of script) {
          if (verb === 'pass') await time.pass(times)
          else
            for (let n = 0; n < times; n++)
              verb === 'wait' ? void stream.publishWhenReady({}) : stream.tryPublish({})
        }
        await time.pass(1_000)
        expect(excessOf(admittedMs, rate, burst)).toBeLessThan(1e-3)
      },
    ),
    { numRuns: 300 },
  )
})

test.each(['all at once', 'one after the other'])(
  'a line at 10 000 a second with a burst of 1 reaches its rate, published %s',
  async (how) => {
    const { time, stream, admittedMs } = open([0.15], 10_000, 1)
    const one = async () => {
      for (let n = 0; n < 1_000; n++) await stream.publishWhenReady({})
    }
    if (how === 'one after the other') void one()
    else for (let n = 0; n < 1_000; n++) void stream.publishWhenReady({})
    await time.pass(105)
    expect(admittedMs).toHaveLength(1_000)
    expect(excessOf(admittedMs, 10_000, 1)).toBeLessThan(1e-3)
  },
)
