import { memoryBus } from '@rivulet/memory'
import fc from 'fast-check'
import { createHub } from 'rivulet'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'

beforeEach(() => vi.useFakeTimers())
afterEach(() => vi.useRealTimers())

const MAX_AGE_MS = 1_500
// Lateness is measured against the fastest message heard: what that one took itself, here some steps of the fake
// clock, can't be known without synchronized clocks.
const FASTEST_MS = 5
/** By how much clocks may run apart over the minutes that a smallest delay counts. */
const DRIFT_MS = 200
/** Of a publisher that was heard within this, nothing late is delivered. */
const RECENT_MS = 60_000

/** Published this many milliseconds after the one before. */
const pause = fc.oneof(fc.integer({ min: 0, max: 50 }), fc.integer({ min: 0, max: 2_500 }))
const pauses = (minLength: number) => fc.array(pause, { minLength, maxLength: 12 })

/** The receiver may leave and come again; a frozen link over all of the pauses; a healthy one, where a clock may step. */
const round = fc.record({
  comesAgain: fc.boolean(),
  frozen: pauses(0),
  healthy: pauses(1),
  step: fc.option(
    fc.record({
      who: fc.constantFrom('publisher', 'receiver'),
      byMs: fc.oneof(fc.integer({ min: -200_000, max: 200_000 }), fc.integer({ min: -3_000, max: 3_000 })),
    }),
  ),
  afterStep: pauses(3),
})
const scenario = fc.record({
  offsetMs: fc.record({
    publisher: fc.integer({ min: 0, max: 1e9 }),
    receiver: fc.integer({ min: 0, max: 1e9 }),
  }),
  first: pauses(3),
  rounds: fc.array(round, { minLength: 1, maxLength: 4 }),
})

/** Two hubs whose clocks are each their own; a message carries the true time at which it was published. */
async function openPair(offsetMs: { publisher: number; receiver: number }) {
  const clocks: Record<string, number> = { ...offsetMs }
  const bus = memoryBus()
  const open = (who: string) =>
    createHub({ transport: bus.transport(), nowMs: () => performance.now() + (clocks[who] ?? 0) })
  const [publisher, receiver] = [open('publisher'), open('receiver')]
  for (const hub of [publisher, receiver]) hub.on('error', () => {})
  const options = { limit: false, maxAgeMs: MAX_AGE_MS, batch: false } as const
  const source = publisher.stream<{ atMs: number }>('s', options)
  const target = receiver.stream<{ atMs: number }>('s', options)
  const latenesses: number[] = []
  let heardMs = -Infinity
  let fastestMs = Infinity
  // When the receiver's clock is set, the last message may be long ago by it: then nothing is known of delays.
  const forget = () => {
    heardMs = -Infinity
  }
  const listen = () =>
    target.subscribe(({ data }) => {
      const nowMs = performance.now()
      const ageMs = nowMs - data.atMs
      // A first message is delivered however old it is, and those after it are as late as they are behind the fastest.
      fastestMs = nowMs - heardMs > RECENT_MS ? ageMs : Math.min(fastestMs, ageMs)
      latenesses.push(ageMs - fastestMs)
      heardMs = nowMs
    })
  let subscription = listen()
  await subscription.ready
  const comeAgain = async () => {
    subscription.unsubscribe()
    await vi.advanceTimersByTimeAsync(0)
    subscription = listen()
    await subscription.ready
  }
  const publish = async (after: readonly number[]) => {
    for (const pauseMs of after) {
      await vi.advanceTimersByTimeAsync(pauseMs)
      source.publish({ atMs: performance.now() })
      await vi.advanceTimersByTimeAsync(0)
    }
  }
  return { bus, clocks, latenesses, publish, comeAgain, forget, hubs: [publisher, receiver], target }
}

test('no subscriber sees a message older than maxAgeMs of an origin heard lately', async () => {
  let stale = 0
  await fc.assert(
    fc.asyncProperty(scenario, async ({ offsetMs, first, rounds }) => {
      const { bus, clocks, latenesses, publish, comeAgain, forget, hubs, target } = await openPair(offsetMs)
      await publish(first)
      for (const { comesAgain, frozen, healthy, step, afterStep } of rounds) {
        if (comesAgain) await comeAgain()
        bus.freeze()
        await publish(frozen)
        bus.thaw()
        await vi.advanceTimersByTimeAsync(0)
        // A frozen publisher may have gone down and come back.
        await vi.advanceTimersByTimeAsync(6_000)
        await publish(healthy)
        if (step !== null) {
          clocks[step.who] = (clocks[step.who] ?? 0) + step.byMs
          if (step.who === 'receiver') forget()
          await publish(afterStep)
        }
      }
      for (const lateMs of latenesses) expect(lateMs).toBeLessThanOrEqual(MAX_AGE_MS + FASTEST_MS + DRIFT_MS)
      stale += target.ledger().dropped.stale
      const closing = hubs.map((hub) => hub.close())
      await vi.advanceTimersByTimeAsync(5_000)
      await Promise.all(closing)
    }),
    { numRuns: 1_000 },
  )
  expect(stale).toBeGreaterThan(1_000) // the freezes were long enough to matter
}, 300_000)
