import { createHub, type Hub, type HubOptions, type RivuletError, type StreamOptions } from 'rivulet'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { sidOf } from '../../src/message/sid.ts'
import { heapUsed } from '../support/heap.ts'
import { openScene, wire } from '../support/remote-scene.ts'
import { ScriptedTransport } from '../support/scripted-transport.ts'

beforeEach(() => vi.useFakeTimers())
afterEach(() => vi.useRealTimers())

const originOf = (number: number) => number.toString(16).padStart(16, '0')
const PROVEN = 3
const now = () => Math.floor(performance.now())
const MAX_PER_FRAME = 64

/** The origins `from` to `to`, the last one included. */
const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, nth) => from + nth)

/**
 * A hub that listens on streams `0`, `1`, …; `hear` hands over the messages 1 to `count` of each of the publishers,
 * `knows` tells whether the first one of a publisher is a repeat.
 */
async function listen(streams: number, options: HubOptions = {}, streamOptions: StreamOptions = {}) {
  const transport = new ScriptedTransport()
  const hub: Hub = createHub({ transport, ...options })
  const errors: RivuletError[] = []
  hub.on('error', (error) => errors.push(error))
  await hub.ready()
  for (let nth = 0; nth < streams; nth++) {
    hub.stream(String(nth), { limit: false, ...streamOptions }).subscribe(() => {})
  }
  await hub.ready()
  const receive = (stream: number, frame: string) =>
    transport.host.receive(`rivulet/default/${stream}` as never, frame)
  const hear = (stream: number, origins: number | readonly number[], count = 1, first = 1, tMs = now()) => {
    const texts = [origins].flat().flatMap((number) => {
      const origin = originOf(number)
      return range(first, first + count - 1).map(
        (sequence) => `{"data":{},"sid":"${sidOf(origin, sequence)}","t":${tMs}}`,
      )
    })
    for (let nth = 0; nth < texts.length; nth += MAX_PER_FRAME) {
      const frame = `[${texts.slice(nth, nth + MAX_PER_FRAME).join(',')}]`
      receive(stream, frame)
    }
  }
  const knows = (stream: number, origin: number) => {
    const { duplicate } = hub.ledger().dropped
    hear(stream, origin, 1, 1, 0)
    return hub.ledger().dropped.duplicate > duplicate
  }
  return { hub, hear, receive, knows, errors }
}

const few = { maxPublishersPerStream: 256 }

describe('the publishers of a stream', () => {
  test('are remembered, each for itself and for each stream', async () => {
    const { hear, knows } = await listen(2)
    hear(0, 1)
    expect([knows(0, 1), knows(0, 2), knows(1, 1)]).toEqual([true, false, false])
  })

  test('are remembered when they speak by turns', async () => {
    const { hub, hear } = await listen(1)
    hear(0, [1, 2])
    hear(0, [1, 2], 2)
    expect(hub.ledger()).toMatchObject({ delivered: 4, dropped: { duplicate: 2 } })
  })

  test("are as many as the hub's option; for one more, the longest silent is evicted", async () => {
    const { hear, knows } = await listen(1, few)
    hear(0, range(0, 255))
    hear(0, 0, 2) // speaks again
    hear(0, 256)
    expect([knows(0, 2), knows(0, 0), knows(0, 1)]).toEqual([true, true, false])
  })

  test('keep all promises when they are 10 000: gaps, repeats and late messages', async () => {
    const { hub, hear, receive, errors } = await listen(1)
    const all = range(0, 9_999)
    hear(0, all, PROVEN)
    hear(0, all, 1, PROVEN + 3) // two are missed
    hear(0, all, 1, PROVEN + 3)
    expect(hub.ledger()).toMatchObject({ missed: 20_000, evictedPublishers: 0 })
    expect(hub.ledger().dropped).toMatchObject({ duplicate: Math.ceil(10_000 / MAX_PER_FRAME), stale: 0 })
    const sentMs = now()
    await vi.advanceTimersByTimeAsync(30_000)
    const late = all.map((number) => `{"data":{},"sid":"${sidOf(originOf(number), 9)}","t":${sentMs}}`)
    for (let nth = 0; nth < late.length; nth += MAX_PER_FRAME) {
      const frame = `[${late.slice(nth, nth + MAX_PER_FRAME).join(',')}]`
      receive(0, frame)
    }
    expect(hub.ledger().dropped.stale).toBe(10_000)
    expect(errors).toEqual([])
  })

  test('take at most 300 bytes each', async () => {
    const { hub, hear } = await listen(1, { maxPublishersPerStream: 30_000 })
    hear(0, range(0, 99), PROVEN)
    const before = heapUsed()
    hear(0, range(100, 16_099), PROVEN)
    const bytes = (heapUsed() - before) / 16_000
    expect(bytes).toBeLessThanOrEqual(300)
    expect(hub.ledger().delivered).toBe(16_100 * PROVEN)
  })

  test('are forgotten when they were silent for two minutes and maxAgeMs, and not before', async () => {
    const { hear, knows } = await listen(1)
    hear(0, [1, 2], PROVEN)
    await vi.advanceTimersByTimeAsync(100_000)
    hear(0, 2, 1, PROVEN + 1)
    expect(knows(0, 1)).toBe(true)
    await vi.advanceTimersByTimeAsync(90_000) // a sweep comes once a minute
    expect([knows(0, 1), knows(0, 2)]).toEqual([false, true])
  })

  test('leave no timer behind once all are forgotten, and none after close', async () => {
    const { hub, hear } = await listen(1)
    hub.stream('0').close()
    await vi.advanceTimersByTimeAsync(60_000)
    const atRest = vi.getTimerCount()
    hub.stream('0', { limit: false }).subscribe(() => {})
    await vi.advanceTimersByTimeAsync(0)
    hear(0, range(0, 99), PROVEN)
    hub.stream('0').close()
    await vi.advanceTimersByTimeAsync(300_000)
    expect(vi.getTimerCount()).toBe(atRest)
    hub.stream('0', { limit: false }).subscribe(() => {})
    await vi.advanceTimersByTimeAsync(0)
    hear(0, range(0, 99), PROVEN)
    await hub.close()
    expect(vi.getTimerCount()).toBe(0)
  })

  test('that were heard in the last minute are counted when evicted, and reported once', async () => {
    const { hub, hear, errors } = await listen(1, few)
    hear(0, range(0, 255), PROVEN)
    await vi.advanceTimersByTimeAsync(59_000)
    hear(0, range(1_000, 1_002), PROVEN)
    await vi.advanceTimersByTimeAsync(0)
    expect(hub.ledger().evictedPublishers).toBe(3)
    expect(errors.map(({ code, stream }) => [code, stream])).toEqual([['TOO_MANY_PUBLISHERS', '0']])
    expect(errors[0]?.message).toContain('maxPublishersPerStream')
  })

  test('that were silent for longer are evicted without a word', async () => {
    const { hub, hear, errors } = await listen(1, few)
    hear(0, range(0, 255), PROVEN)
    await vi.advanceTimersByTimeAsync(62_000)
    hear(0, range(1_000, 1_255), PROVEN)
    await vi.advanceTimersByTimeAsync(0)
    expect([hub.ledger().evictedPublishers, errors]).toEqual([0, []])
    hear(0, 2_000)
    expect(hub.ledger().evictedPublishers).toBe(1)
  })

  // RELIABILITY 73
  test('are evicted before a proven one while they have sent fewer than three messages', async () => {
    const { hear, knows } = await listen(1, few)
    hear(0, 7, PROVEN)
    hear(0, range(1_000, 1_599), PROVEN - 1)
    expect(knows(0, 7)).toBe(true)
  })

  test('are not proven by repeats or forged jumps', async () => {
    const { hear, knows } = await listen(1, few)
    for (let count = 0; count < 5; count++) hear(0, 7)
    hear(0, range(1_000, 1_299))
    expect(knows(0, 7)).toBe(false)
  })

  test('are evicted, when all are proven, from the one that was silent longest', async () => {
    const { hear, knows } = await listen(1, few)
    hear(0, range(0, 255), PROVEN)
    hear(0, 0, PROVEN + 1) // speaks again
    hear(0, 999)
    expect([knows(0, 0), knows(0, 1)]).toEqual([true, false])
  })

  // RELIABILITY 73
  test('invented by the hundred thousand cost bounded memory and evict no real one', async () => {
    const scene = await openScene({ limit: false })
    for (let number = 1; number <= PROVEN; number++) scene.receive(wire(number, 0))
    const text = 'x'.repeat(3_000)
    const invent = (from: number, count: number) => {
      for (let nth = from; nth < from + count; nth++) {
        const sid = sidOf(originOf(nth), 1)
        // As the core writes it, and in a spelling that is read in the general way.
        scene.receive(`{"data":{"text":"${text}"},"sid":"${sid}","t":1}${nth % 2 ? ' ' : ''}`)
        scene.heard.length = 0
      }
    }
    invent(1, 1_000)
    const before = heapUsed()
    invent(1_001, 100_000)
    expect(heapUsed() - before).toBeLessThan(4 * 1024 * 1024)
    scene.receive(wire(3, 0))
    scene.receive(wire(4, 0))
    expect(scene.data).toEqual([{ n: 4 }])
    expect(scene.ledger).toMatchObject({ missed: 0, dropped: { duplicate: 1 } })
  })
})

describe('the publishers of a hub', () => {
  const bounds = { maxPublishers: 1_000 }

  test('are bounded over all its streams: unproven ones are evicted first', async () => {
    const { hear, knows } = await listen(5, bounds)
    for (let stream = 0; stream < 4; stream++) hear(stream, range(0, 249), stream === 0 ? PROVEN : 1)
    hear(4, range(0, 249))
    expect([knows(0, 0), knows(0, 249), knows(4, 249)]).toEqual([true, true, true])
    expect([knows(1, 0), knows(2, 0), knows(3, 0)]).toEqual([false, false, false])
  })

  test('are evicted, when all are proven, from the longest silent of all streams', async () => {
    const { hub, hear, knows, errors } = await listen(4, bounds)
    hear(0, range(0, 332), PROVEN)
    await vi.advanceTimersByTimeAsync(2_000)
    hear(1, range(0, 332), PROVEN)
    await vi.advanceTimersByTimeAsync(2_000)
    hear(2, range(0, 333), PROVEN)
    hear(0, 0, 1, PROVEN + 1) // speaks again
    hear(3, 7)
    await vi.advanceTimersByTimeAsync(0)
    expect([hub.stream('0').ledger(), hub.ledger()].map((ledger) => ledger.evictedPublishers)).toEqual([1, 1])
    expect(errors.map(({ code, message }) => [code, message.includes('maxPublishers of')])).toEqual([
      ['TOO_MANY_PUBLISHERS', true],
    ])
    expect([knows(0, 0), knows(1, 0), knows(2, 0), knows(0, 1)]).toEqual([true, true, true, false])
  })

  test('give their places up when their stream ended more than a minute ago', async () => {
    const { hub, hear, knows } = await listen(5, bounds)
    hear(0, range(0, 249), PROVEN)
    hub.stream('0').close()
    await vi.advanceTimersByTimeAsync(61_000)
    hub.stream('4').close()
    for (let stream = 1; stream < 4; stream++) hear(stream, range(0, 249))
    hub.stream('5', { limit: false }).subscribe(() => {})
    await vi.advanceTimersByTimeAsync(0)
    hear(5, range(0, 249))
    expect([knows(1, 0), knows(5, 0)]).toEqual([true, true])
  })
})
