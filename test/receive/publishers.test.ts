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

/** A hub that listens on streams `0`, `1`, …; `hear` hands over messages, `knows` tells whether one is a repeat. */
async function listen(streams: number) {
  const transport = new ScriptedTransport()
  const hub: Hub = createHub({ transport })
  await hub.ready()
  for (let nth = 0; nth < streams; nth++) {
    hub.stream(String(nth), { limit: false }).subscribe(() => {})
  }
  await hub.ready()
  const hear = (stream: number, origin: number, count = 1) => {
    for (let sequence = 1; sequence <= count; sequence++) {
      const frame = JSON.stringify(wire(sequence, 0, originOf(origin)))
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

  test('are 256: when one more speaks, the one that was heard first is new again', async () => {
    const { hear, knows } = await listen(1)
    for (let number = 0; number < 256; number++) hear(0, number)
    hear(0, 0, 2) // speaks again
    hear(0, 256)
    expect([knows(0, 2), knows(0, 0), knows(0, 1)]).toEqual([true, true, false])
  })

  // RELIABILITY 73
  test('are evicted before a proven one while they have sent fewer than three messages', async () => {
    const { hear, knows } = await listen(1)
    hear(0, 7, PROVEN)
    for (let number = 1_000; number < 11_000; number++) hear(0, number, PROVEN - 1)
    expect(knows(0, 7)).toBe(true)
  })

  test('are not proven by repeats or forged jumps', async () => {
    const { hear, knows } = await listen(1)
    for (let count = 0; count < 5; count++) hear(0, 7)
    for (let number = 1_000; number < 1_300; number++) hear(0, number)
    expect(knows(0, 7)).toBe(false)
  })

  test('are evicted, when all are proven, from the one that was silent longest', async () => {
    const { hear, knows } = await listen(1)
    for (let number = 0; number < 256; number++) hear(0, number, PROVEN)
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
      for (let number = 0; number < 256; number++) hear(stream, number, stream === 0 ? PROVEN : 1)
    }
    for (let number = 0; number < 256; number++) hear(256, number)
    expect([knows(0, 0), knows(0, 255), knows(2, 0), knows(256, 0)]).toEqual([true, true, true, true])
    expect(knows(1, 0)).toBe(false)
  })

  test('go although all are proven: the one that was proven first', async () => {
    const { hear, knows } = await listen(257)
    for (let stream = 0; stream < 256; stream++) {
      for (let number = 0; number < 256; number++) hear(stream, number, PROVEN)
    }
    hear(256, 0)
    expect([knows(256, 0), knows(0, 1), knows(0, 0)]).toEqual([true, true, false])
  })

  test('give their places up when their stream ended more than a minute ago', async () => {
    const { hub, hear, knows } = await listen(257)
    for (let number = 0; number < 256; number++) hear(0, number, PROVEN)
    hub.stream('0').close()
    await vi.advanceTimersByTimeAsync(60_001)
    hub.stream('1').subscribe(() => {})
    hub.stream('256').close()
    for (let stream = 1; stream < 256; stream++) {
      for (let number = 0; number < 256; number++) hear(stream, number)
    }
    expect(knows(1, 0)).toBe(true)
  })
})
