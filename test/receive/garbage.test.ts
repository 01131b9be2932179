import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { z } from 'zod'
import { sidOf } from '../../src/message/sid.ts'
import { NONE_DROPPED as NONE } from '../support/dropped.ts'
import { expectLawful, openScene, wire } from '../support/remote-scene.ts'
import { schemaOf } from '../support/schemas.ts'

beforeEach(() => vi.useFakeTimers())
afterEach(() => vi.useRealTimers())

describe('garbage', () => {
  const junk = [
    ['what does not parse', () => 'junk'],
    ['malformed messages', () => '[{"data":1},{"data":2}]'],
    ['poisoned data', () => '{"data":{"__proto__":1}}'],
    ['repeats in another spelling', () => ` ${JSON.stringify(wire(1))}`],
    ['stale messages', (nth: number) => wire(nth + 2, 0)],
    ['what the schema refuses', () => ({ data: { isBad: true } })],
    ['data over the limit', () => ({ data: { text: 'x'.repeat(5_000) } })],
    [
      'own messages in another spelling',
      (nth: number, own: string) => ({ sid: sidOf(own, nth + 1), data: {} }),
    ],
    ['forged jumps', () => wire(2 ** 50)],
    ['repeated removals in another spelling', () => ({ sid: wire(1).sid, removed: true })],
    [
      'own removals in another spelling',
      (nth: number, own: string) => ({ sid: sidOf(own, nth + 1), removed: true }),
    ],
  ] as const

  test.each(junk)('cannot silence the stream: %s leave its own bucket as it is', async (_, make) => {
    const scene = await openScene({ schema: z.object({ isBad: z.undefined().optional() }).loose() })
    const own = scene.stream.publish({}).sid.slice(2, 18)
    scene.receive(wire(1, 0))
    await vi.advanceTimersByTimeAsync(10_000)
    scene.heard.length = 0
    const decode = vi.spyOn(TextDecoder.prototype, 'decode')
    for (let count = 0; count < 10_000; count++) scene.receive(make(count, own))
    const decoded = decode.mock.calls.length
    decode.mockRestore()
    // The first two of a publisher who is then proven fill the other bucket.
    expect([60, 62]).toContain(decoded)
    expect(scene.ledger.dropped.rateLimited).toBe(10_000 - decoded)
    expect(scene.heard).toEqual([])
    expect(scene.stream.budget().available).toBe(30)
    for (let count = 0; count < 30; count++) scene.stream.publish({ count })
    expect(scene.heard).toHaveLength(30)
    await vi.advanceTimersByTimeAsync(1_000)
    scene.receive(wire(20_000, 11_000))
    expect(scene.data.at(-1)).toEqual({ n: 20_000 })
    expectLawful(scene.ledger)
  })

  test('that comes no faster than the limit does not hold up a publisher at its limit', async () => {
    const scene = await openScene()
    for (let number = 1; number <= 300; number++) {
      scene.receive(number % 2 ? 'junk' : ` ${JSON.stringify(wire(1))}`)
      scene.receive(wire(number, (number * 1_000) / 30))
      await vi.advanceTimersByTimeAsync(1_000 / 30 + 1)
    }
    expect(scene.heard).toHaveLength(300)
    expectLawful(scene.ledger)
  })

  test('costs a good message nothing while it comes no faster than the limit', async () => {
    const scene = await openScene()
    for (let number = 1; number <= 100; number++) {
      scene.receive('junk')
      scene.receive(wire(number))
      await vi.advanceTimersByTimeAsync(50)
    }
    expect(scene.heard).toHaveLength(100)
  })

  test.each([
    ['what does not parse', () => 'junk'],
    ['repeats in another spelling', () => ` ${JSON.stringify(wire(1, 0))}`],
    [
      'publishers heard for the first time, with nothing in it',
      (nth: number) => wire(1, 0, originOf(nth), []),
    ],
  ] as const)('in a flood does not silence a publisher that was heard before: %s', async (_, make) => {
    const scene = await openScene()
    let sent = 0
    for (let ms = 0; ms < 20_000; ms++) {
      if (ms % 100 === 0) scene.receive(wire(++sent, ms))
      if (ms > 500) scene.receive(make(ms))
      await vi.advanceTimersByTimeAsync(1)
    }
    expect(scene.data).toEqual(Array.from({ length: sent }, (_, nth) => ({ n: nth + 1 })))
    expect(scene.ledger.dropped.rateLimited).toBeGreaterThan(15_000)
    expectLawful(scene.ledger)
  })

  test('in a flood is dropped undecoded', async () => {
    const scene = await openScene()
    const decode = vi.spyOn(TextDecoder.prototype, 'decode')
    for (let count = 0; count < 20_000; count++) scene.receive('{"data":1}')
    expect(decode).toHaveBeenCalledTimes(60)
    decode.mockRestore()
    expect(scene.ledger.dropped).toEqual({ ...NONE, malformed: 60, rateLimited: 19_940 })
  })

  test('differs from a replay: a frame with a known last number is one duplicate', async () => {
    const validate = vi.fn((value: unknown) => ({ value }))
    const scene = await openScene({ schema: schemaOf(validate) })
    scene.receive([wire(1, 0), wire(2, 0)])
    const { available } = scene.stream.budget()
    const decode = vi.spyOn(TextDecoder.prototype, 'decode')
    for (let count = 0; count < 20_000; count++) {
      scene.receive([wire(1, 0), wire(2, 0)])
      scene.receive(wire(2, 0))
    }
    expect(decode).not.toHaveBeenCalled()
    decode.mockRestore()
    expect(validate).toHaveBeenCalledTimes(2)
    expect(scene.stream.budget().available).toBe(available)
    expect(scene.ledger).toMatchObject({ received: 40_002, dropped: { ...NONE, duplicate: 40_000 } })
    scene.receive(wire(3, 0))
    expect(scene.data.at(-1)).toEqual({ n: 3 })
  })

  test('beside something deliverable in one frame is not charged as garbage', async () => {
    const scene = await openScene({ limit: { ratePerSecond: 1, burst: 4 } })
    for (let number = 1; number <= 3; number++) scene.receive([wire(number), { data: 1 }])
    expect(scene.ledger).toMatchObject({ delivered: 3, dropped: { ...NONE, malformed: 3 } })
  })

  test('of one stream leaves the others alone', async () => {
    const scene = await openScene()
    const other = scene.hub.stream('other')
    const heard: unknown[] = []
    await other.subscribe(({ data }) => heard.push(data)).ready
    for (let count = 0; count < 10_000; count++) scene.receive(count % 2 ? 'junk' : wire(count))
    scene.transport.host.receive(`rivulet/default/other` as typeof scene.topic, '{"data":{"fine":true}}')
    expect(heard).toEqual([{ fine: true }])
  })
})

/** Another origin for each number. */
function originOf(nth: number): string {
  return nth.toString(16).padStart(16, '0')
}
