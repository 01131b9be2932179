import fc from 'fast-check'
import type { RivuletError } from 'rivulet'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { sidOf } from '../../src/message/sid.ts'
import { expectLawful, OTHER_ORIGIN, openScene } from '../support/remote-scene.ts'

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

test('no remote input throws, breaks a law of the ledger, or is delivered unchecked', async () => {
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
      // What an option of this process keeps out is told once.
      expect(scene.errors.length).toBeLessThanOrEqual(1)
      for (const { code } of scene.errors as RivuletError[])
        expect(['PAYLOAD_TOO_LARGE', 'RATE_LIMITED']).toContain(code)
      const ledger = await scene.hub.close()
      expect(ledger.received).toBe(scene.ledger.received)
    }),
    { numRuns: 1_000 },
  )
}, 120_000)

const rounds = fc.array(
  fc.record({
    pauseMs: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 400 })),
    own: fc.nat({ max: 12 }),
    frames: fc.array(fc.integer({ min: 1, max: 12 }), { maxLength: 4 }),
    isOwnFirst: fc.boolean(),
  }),
  { minLength: 1, maxLength: 25 },
)
const limit = fc.record({
  ratePerSecond: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 200 })),
  burst: fc.oneof(fc.integer({ min: 1, max: 40 }), fc.double({ min: 1, max: 40, noNaN: true })),
})

test('no peer shuts out local publishing, whatever peers send', async () => {
  let refusedHere = 0
  await fc.assert(
    fc.asyncProperty(limit, rounds, async ({ ratePerSecond, burst }, played) => {
      const clock = { nowMs: 0 }
      const options = { limit: { ratePerSecond, burst }, maxAgeMs: false, batch: false } as const
      const scene = await openScene(options, { nowMs: () => clock.nowMs })
      let number = 0
      let ownSinceMs = 0
      for (const { pauseMs, own, frames, isOwnFirst } of played) {
        clock.nowMs += pauseMs
        const receive = () => {
          for (const size of frames) {
            scene.receive(
              Array.from({ length: size }, () => ({ sid: sidOf(OTHER_ORIGIN, ++number), data: {} })),
            )
          }
        }
        const publish = () => {
          for (let nth = 0; nth < own; nth++) if (!scene.stream.tryPublish({}).ok) refusedHere++
        }
        const acts = isOwnFirst ? [publish, receive] : [receive, publish]
        for (const act of acts) act()
        // Of a stream on which this process was silent, a quarter of the burst is left for it, when that is a message.
        if (own > 0) ownSinceMs = clock.nowMs
        const isSilent = ratePerSecond > 0 && clock.nowMs - ownSinceMs >= (burst / ratePerSecond) * 1000
        if (isSilent && burst >= 2) expect(scene.stream.budget().available).toBeGreaterThanOrEqual(1)
      }
      expectLawful(scene.ledger)
      const closing = scene.hub.close()
      await vi.advanceTimersByTimeAsync(5_000)
      await closing
    }),
    { numRuns: 1_000 },
  )
  expect(refusedHere).toBeGreaterThan(1_000)
}, 120_000)
