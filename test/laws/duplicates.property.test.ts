import { memoryBus } from '@rivulet/memory'
import fc from 'fast-check'
import { createHub } from 'rivulet'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { expectLawful } from '../support/remote-scene.ts'

beforeEach(() => vi.useFakeTimers())
afterEach(() => vi.useRealTimers())

const chance = fc.double({ min: 0, max: 1, noNaN: true })
const options = fc.record({
  seed: fc.nat({ max: 2 ** 32 - 1 }),
  duplicate: chance,
  reorder: chance,
  loss: fc.double({ min: 0, max: 0.5, noNaN: true }),
  delayMs: fc.constantFrom([0, 0] as const, [0, 50] as const, [5, 5] as const),
  echoes: fc.boolean(),
})
/** How many messages each of two publishers sends before the next pause. */
const steps = fc.array(
  fc.record({ a: fc.nat({ max: 5 }), b: fc.nat({ max: 5 }), pauseMs: fc.nat({ max: 40 }) }),
  { minLength: 1, maxLength: 10 },
)

test('no subscriber sees a sid twice, nor its own, whatever the bus does', async () => {
  let duplicates = 0
  await fc.assert(
    fc.asyncProperty(options, fc.boolean(), steps, async (busOptions, batch, publishes) => {
      const bus = memoryBus(busOptions)
      const parties = await Promise.all(
        ['a', 'b', 'c'].map(async () => {
          const hub = createHub({ transport: bus.transport() })
          const stream = hub.stream<{ n: number }>('s', { limit: false, batch })
          const sids: string[] = []
          await stream.subscribe(({ sid }) => sids.push(sid)).ready
          return { hub, stream, sids }
        }),
      )
      let n = 0
      for (const { a, b, pauseMs } of publishes) {
        for (let count = 0; count < a; count++) parties[0]?.stream.publish({ n: ++n })
        for (let count = 0; count < b; count++) parties[1]?.stream.publish({ n: ++n })
        await vi.advanceTimersByTimeAsync(pauseMs)
      }
      await vi.advanceTimersByTimeAsync(200)
      for (const { hub, stream, sids } of parties) {
        expect(new Set(sids).size).toBe(sids.length)
        const ledger = stream.ledger()
        expect(sids).toHaveLength(ledger.accepted + ledger.delivered)
        expectLawful(ledger)
        duplicates += ledger.dropped.duplicate
        const closing = hub.close()
        await vi.advanceTimersByTimeAsync(100)
        expectLawful(await closing)
      }
    }),
    { numRuns: 1_000 },
  )
  expect(duplicates).toBeGreaterThan(1_000)
}, 300_000)
