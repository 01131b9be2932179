import { memoryBus } from '@rivulet/memory'
import fc from 'fast-check'
import { createHub } from 'rivulet'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { expectLawful } from '../support/remote-scene.ts'

beforeEach(() => vi.useFakeTimers())
afterEach(() => vi.useRealTimers())

const options = fc.record({
  seed: fc.nat({ max: 2 ** 32 - 1 }),
  loss: fc.double({ min: 0, max: 0.7, noNaN: true }),
  duplicate: fc.double({ min: 0, max: 1, noNaN: true }),
  reorder: fc.double({ min: 0, max: 1, noNaN: true }),
})
const bursts = fc.array(fc.record({ count: fc.nat({ max: 12 }), pauseMs: fc.nat({ max: 30 }) }), {
  maxLength: 8,
})

test('missed equals the loss of the bus between the first and the last arrival', async () => {
  let lost = 0
  await fc.assert(
    fc.asyncProperty(options, bursts, async (busOptions, publishes) => {
      const bus = memoryBus(busOptions)
      const [publisher, transport] = [createHub({ transport: bus.transport() }), bus.transport()]
      const receiver = createHub({ transport })
      const source = publisher.stream<{ n: number }>('s', { limit: false, batch: false })
      const target = receiver.stream<{ n: number }>('s', { limit: false, batch: false })
      let last = 0
      await target.subscribe(({ data }) => {
        last = Math.max(last, data.n)
      }).ready
      let n = 0
      /** Publishes sentinels, one after the other, until one arrives. */
      const arrive = async () => {
        do {
          source.publish({ n: ++n })
          await vi.advanceTimersByTimeAsync(50) // longer than anything is held back
        } while (last !== n)
      }
      await arrive()
      const lostBefore = bus.counts(transport).lost
      for (const { count, pauseMs } of publishes) {
        for (let nth = 0; nth < count; nth++) source.publish({ n: ++n })
        await vi.advanceTimersByTimeAsync(pauseMs)
      }
      await arrive()
      const ledger = target.ledger()
      expect(ledger.missed).toBe(bus.counts(transport).lost - lostBefore)
      expect(ledger.delivered).toBe(n - bus.counts(transport).lost)
      expectLawful(ledger)
      lost += ledger.missed
      const closing = [publisher.close(), receiver.close()]
      await vi.advanceTimersByTimeAsync(100)
      await Promise.all(closing)
    }),
    { numRuns: 1_000 },
  )
  expect(lost).toBeGreaterThan(1_000)
}, 300_000)
