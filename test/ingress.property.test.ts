import fc from 'fast-check'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { sidOf } from '../src/message.ts'
import { expectLawful, openScene } from './support/remote-scene.ts'

beforeEach(() => vi.useFakeTimers())
afterEach(() => vi.useRealTimers())

const origins = ['0000000000000001', '0000000000000002', 'feedfacecafebeef']
const anyNumber = fc.oneof(
  fc.integer({ min: 1, max: 50 }),
  fc.integer({ min: 65_000, max: 70_000 }),
  fc.constantFrom(2 ** 32, 2 ** 53 - 1, 2 ** 53),
)
const anyT = fc.oneof(
  fc.nat({ max: 20_000 }),
  fc.constantFrom(undefined, -1, 1e300, 0.5, null, 'x', Number.MAX_SAFE_INTEGER),
)
const anyData = fc.oneof(
  fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 3 })),
  fc.jsonValue(),
  fc.constantFrom({ constructor: { prototype: {} } }, JSON.parse('{"__proto__":{"a":1}}'), {
    a: 'x'.repeat(5_000),
  }),
)
const message = fc
  .record({ origin: fc.constantFrom(...origins), number: anyNumber, t: anyT, data: anyData })
  .map(({ origin, number, t, data }) => ({ data, sid: sidOf(origin, number), t }))
const removal = fc.record({ removed: fc.constant(true), sid: message.map(({ sid }) => sid) })
const good = fc.oneof(
  { weight: 6, arbitrary: message },
  { weight: 3, arbitrary: fc.array(fc.oneof(message, fc.jsonValue()), { maxLength: 70 }) },
  { weight: 1, arbitrary: removal },
  { weight: 1, arbitrary: fc.record({ data: anyData }) },
)
const goodBytes = good.map((frame) => new TextEncoder().encode(JSON.stringify(frame)))
const mutated = fc
  .tuple(goodBytes, fc.array(fc.tuple(fc.nat(), fc.nat({ max: 255 })), { minLength: 1, maxLength: 4 }))
  .map(([bytes, changes]) => {
    for (const [at, value] of changes) bytes[at % bytes.length] = value
    return bytes
  })
const frames = fc.array(
  fc.oneof(goodBytes, mutated, fc.uint8Array({ maxLength: 100 }), fc.string({ unit: 'binary' })),
  { maxLength: 20 },
)

test('no remote input throws, breaks a law of the ledger, or reaches a subscriber unchecked', async () => {
  const limits = fc.constantFrom(false as const, undefined, { ratePerSecond: 5, burst: 3 })
  await fc.assert(
    fc.asyncProperty(limits, frames, async (limit, received) => {
      const scene = await openScene(limit === undefined ? {} : { limit }, { acceptRemoval: false })
      for (const frame of received) {
        expect(() => scene.receive(frame)).not.toThrow()
        await vi.advanceTimersByTimeAsync(100)
      }
      expectLawful(scene.ledger)
      expect(scene.heard).toHaveLength(scene.ledger.delivered)
      expect(new Set(scene.heard.map(({ sid }) => sid)).size).toBe(scene.heard.length)
      for (const { data } of scene.heard) {
        const text = JSON.stringify(data)
        expect(text.startsWith('{') && !/"__proto__":/.test(text.replace(/\\./g, ''))).toBe(true)
        expect(Buffer.byteLength(text)).toBeLessThanOrEqual(4096)
        expect(Object.isFrozen(data)).toBe(true)
      }
      expect(scene.errors).toEqual([])
      const ledger = await scene.hub.close()
      expect(ledger.received).toBe(scene.ledger.received)
    }),
    { numRuns: 1_000 },
  )
}, 120_000)
