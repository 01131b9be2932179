import { createHub, type Hub } from 'rivulet'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { sidOf } from '../../src/model/message.ts'
import { heapUsed } from '../support/heap.ts'
import { openScene, wire } from '../support/remote-scene.ts'
import { ScriptedTransport } from '../support/scripted-transport.ts'

beforeEach(() => vi.useFakeTimers())
afterEach(() => vi.useRealTimers())

const originOf = (number: number) => number.toString(16).padStart(16, '0')
const PROVEN = 3
const MAX_PER_FRAME = 64

/** The origins `from` to `to`, the last one included. */
const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, nth) => from + nth)

/**
 * A hub that listens on streams `0`, `1`, …; `hear` hands over the messages 1 to `count` of each of the publishers,
 * `knows` tells whether the first one of a publisher is a repeat.
 */
async function listen(streams: number) {
  const transport = new ScriptedTransport()
  const hub: Hub = createHub({ transport })
  await hub.ready()
  for (let nth = 0; nth < streams; nth++) {
    hub.stream(String(nth), { limit: false }).subscribe(() => {})
  }
  await hub.ready()
  const hear = (stream: number, origins: number | readonly number[], count = 1) => {
    const texts = [origins].flat().flatMap((number) => {
      const origin = originOf(number)
      return range(1, count).map((sequence) => `{"data":{},"sid":"${sidOf(origin, sequence)}","t":0}`)
    })
    for (let nth = 0; nth < texts.length; nth += MAX_PER_FRAME) {
      const frame = `[${texts.slice(nth, nth + MAX_PER_FRAME).join(',')}]`
      transport.host.receive(`rivulet/default/${stream}` as never, frame)
    }
  }
  const knows = (stream: number, origin: number) => {
    const { duplicate } = hub.ledger().dropped
    hear(stream, origin)
    return hub.ledger().dropped.duplicate > duplicate
  }
  return { hub, hear, knows }
}

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

  test('are 256: when one more speaks, the one that was heard first is new again', async () => {
    const { hear, knows } = await listen(1)
    hear(0, range(0, 255))
    hear(0, 0, 2) // speaks again
    hear(0, 256)
    expect([knows(0, 2), knows(0, 0), knows(0, 1)]).toEqual([true, true, false])
  })

  // RELIABILITY 73
  test('are evicted before a proven one while they have sent fewer than three messages', async () => {
    const { hear, knows } = await listen(1)
    hear(0, 7, PROVEN)
    hear(0, range(1_000, 1_599), PROVEN - 1)
    expect(knows(0, 7)).toBe(true)
  })

  test('are not proven by repeats or forged jumps', async () => {
    const { hear, knows } = await listen(1)
    for (let count = 0; count < 5; count++) hear(0, 7)
    hear(0, range(1_000, 1_299))
    expect(knows(0, 7)).toBe(false)
  })

  test('are evicted, when all are proven, from the one that was silent longest', async () => {
    const { hear, knows } = await listen(1)
    hear(0, range(0, 255), PROVEN)
    hear(0, 0, PROVEN + 1) // speaks again
    hear(0, 999)
    expect([knows(0, 0), knows(0, 1)]).toEqual([true, false])
  })

  // RELIABILITY 73
  test('invented by the hundred thousand with large frames cost bounded memory and do not evict a real one', async () => {
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
  test('are 65 536 over all its streams: those that are not proven go first, the oldest first', async () => {
    const { hear, knows } = await listen(258)
    for (let stream = 0; stream < 256; stream++) {
      hear(stream, range(0, 255), stream === 0 ? PROVEN : 1)
    }
    hear(256, range(0, 255))
    expect([knows(0, 0), knows(0, 255), knows(2, 0), knows(256, 0)]).toEqual([true, true, true, true])
    expect([knows(1, 255), knows(1, 0)]).toEqual([false, false])
  })

  test('are 65 536 though all are proven: the one that was proven first goes', async () => {
    const { hear, knows } = await listen(258)
    hear(0, 0, PROVEN) // and nobody else there
    for (let stream = 1; stream < 256; stream++) hear(stream, range(0, 255), PROVEN)
    hear(256, range(0, 254), PROVEN)
    hear(257, 0)
    expect([knows(257, 0), knows(1, 0), knows(0, 0)]).toEqual([true, true, false])
  })

  test('give their places among the 65 536 up when their stream ended more than a minute ago', async () => {
    const { hub, hear, knows } = await listen(258)
    hear(0, range(0, 255), PROVEN)
    hub.stream('0').close()
    await vi.advanceTimersByTimeAsync(60_001)
    hub.stream('257').close()
    for (let stream = 1; stream <= 256; stream++) hear(stream, range(0, 255))
    expect(knows(1, 0)).toBe(true)
  })
})
