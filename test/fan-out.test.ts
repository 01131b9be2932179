import { createHub } from 'rivulet'
import { describe, expect, test } from 'vitest'
import { FanOut, type Seat } from '../src/fan-out.ts'
import { Fifo } from '../src/fifo.ts'
import { Message } from '../src/message.ts'

const MANY = 100_000
const message = new Message({}, true, '0'.repeat(16), 1)

function seat(): Seat {
  return { index: -1, joined: () => {}, end: () => {} }
}

function fanOut(onError: (error: unknown) => void = (error) => expect.fail(String(error))): FanOut {
  return new FanOut(onError)
}

describe('the fan-out', () => {
  test('calls every listener once, in the order in which they came', () => {
    const out = fanOut()
    const calls: number[] = []
    for (let nth = 0; nth < 100; nth++) out.add(seat(), () => calls.push(nth))
    out.emit(message)
    expect(calls).toEqual(Array.from({ length: 100 }, (_, nth) => nth))
  })

  test('keeps the order through any leaving and coming', () => {
    const out = fanOut()
    const seats = Array.from({ length: 200 }, seat)
    const calls: number[] = []
    for (const [nth, place] of seats.entries()) out.add(place, () => calls.push(nth))
    for (const [nth, place] of seats.entries()) if (nth % 3 !== 0) out.remove(place)
    out.add(seat(), () => calls.push(1000))
    out.emit(message)
    expect(calls).toEqual([...Array.from({ length: 67 }, (_, nth) => nth * 3), 1000])
    expect(out.size).toBe(68)
  })

  test('lets one leave twice without touching another', () => {
    const out = fanOut()
    const [first, second] = [seat(), seat()]
    const calls: string[] = []
    out.add(first, () => calls.push('first'))
    out.add(second, () => calls.push('second'))
    out.remove(first)
    out.remove(first)
    out.emit(message)
    expect(calls).toEqual(['second'])
    expect(out.size).toBe(1)
  })

  test('hands back whoever was there when it is cleared, and calls nobody afterwards', () => {
    const out = fanOut()
    const [first, second, third] = [seat(), seat(), seat()]
    for (const place of [first, second, third]) out.add(place, () => expect.fail('called'))
    out.remove(second)
    expect(out.clear()).toEqual([first, third])
    expect(out.size).toBe(0)
    out.emit(message)
    expect(out.clear()).toEqual([])
  })

  const leaving: readonly [how: string, order: (seats: Seat[]) => Seat[]][] = [
    ['in the order in which they came', (seats) => seats],
    ['in reverse', (seats) => [...seats].reverse()],
    [
      'every other one first',
      (seats) => [...seats.filter((_, nth) => nth % 2), ...seats.filter((_, nth) => nth % 2 === 0)],
    ],
  ]
  // No time is asserted: if leaving cost O(n) each, this would take minutes and run into the suite's limit.
  test.each(leaving)('lets a hundred thousand leave %s', (_, order) => {
    const out = fanOut()
    const seats = Array.from({ length: MANY }, seat)
    let calls = 0
    for (const place of seats) out.add(place, () => void calls++)
    out.emit(message)
    expect(calls).toBe(MANY)
    for (const [nth, place] of order(seats).entries()) {
      out.remove(place)
      if (nth === MANY / 2 - 1) out.emit(message)
    }
    expect(calls).toBe(MANY * 1.5)
    expect(out.size).toBe(0)
    out.emit(message)
    expect(calls).toBe(MANY * 1.5)
    expect(seats.every(({ index }) => index === -1)).toBe(true)
  })

  test('lets a hundred thousand come and a hundred thousand leave during one fan-out', () => {
    const out = fanOut()
    const [old, young] = [Array.from({ length: MANY }, seat), Array.from({ length: MANY }, seat)]
    let [oldCalls, youngCalls] = [0, 0]
    out.add(seat(), () => {
      for (const place of old) out.remove(place)
      for (const place of young) if (place.index < 0) out.add(place, () => void youngCalls++)
    })
    for (const place of old) out.add(place, () => void oldCalls++)
    out.emit(message)
    expect([oldCalls, youngCalls]).toEqual([0, 0])
    out.emit(message)
    expect([oldCalls, youngCalls]).toEqual([0, MANY])
    expect(out.size).toBe(MANY + 1)
  })

  test('stays as small as its listeners through a million comings and goings', () => {
    const out = fanOut()
    const stays = seat()
    out.add(stays, () => {})
    let farthest = 0
    for (let nth = 0; nth < 1_000_000; nth++) {
      const goes = seat()
      out.add(goes, () => {})
      farthest = Math.max(farthest, goes.index)
      out.remove(goes)
    }
    expect(farthest).toBeLessThan(100)
    expect(out.size).toBe(1)
  })

  test('hears what a listener throws and what its promise rejects with, and calls the others', async () => {
    const errors: unknown[] = []
    const out = fanOut((error) => errors.push(error))
    const calls: string[] = []
    out.add(seat(), () => {
      throw 'thrown'
    })
    out.add(seat(), async () => {
      throw 'rejected'
    })
    // biome-ignore lint/suspicious/noThenProperty: a thenable is what is tested
    out.add(seat(), () => ({ then: (_: unknown, reject: (error: unknown) => void) => reject('thenable') }))
    out.add(seat(), () => calls.push('last'))
    out.emit(message)
    await Promise.resolve()
    expect(calls).toEqual(['last'])
    expect(errors).toEqual(['thrown', 'thenable', 'rejected'])
  })

  test('takes any other answer for nothing', () => {
    const out = fanOut()
    // biome-ignore lint/suspicious/noThenProperty: what is tested
    for (const answer of [1, 'then', null, {}, { then: 1 }, Promise.resolve()]) out.add(seat(), () => answer)
    out.emit(message)
    expect(out.size).toBe(6)
  })

  test('hears a getter of then that throws', () => {
    const errors: unknown[] = []
    const out = fanOut((error) => errors.push(error))
    const hostile = new Proxy({}, { has: () => expect.fail('has') })
    out.add(seat(), () => hostile)
    out.emit(message)
    expect(errors.length).toBe(1)
  })

  test('calls the others even when nobody can be told of an error', () => {
    const out = fanOut(() => {
      throw new RangeError('Maximum call stack size exceeded')
    })
    const calls: string[] = []
    out.add(seat(), () => {
      throw new Error('first')
    })
    out.add(seat(), () => calls.push('second'))
    out.emit(message)
    expect(calls).toEqual(['second'])
  })
})

describe('a stream with a hundred thousand subscribers', () => {
  test.each([
    ['in order', false],
    ['in reverse', true],
  ])('lets them unsubscribe %s, and during a fan-out', (_, isReversed) => {
    const stream = createHub().stream('s', { limit: false })
    let calls = 0
    const subscribe = () => Array.from({ length: MANY }, () => stream.subscribe(() => void calls++))
    const subscriptions = subscribe()
    stream.publish({})
    expect(calls).toBe(MANY)
    if (isReversed) subscriptions.reverse()
    for (const subscription of subscriptions) subscription.unsubscribe()
    expect(stream.ledger().subscribers).toBe(0)
    let young = subscribe()
    const old = young
    const closer = stream.subscribe(() => {
      for (const subscription of old) subscription.unsubscribe()
      young = subscribe()
      closer.unsubscribe()
    })
    stream.publish({})
    expect(calls).toBe(2 * MANY)
    expect(stream.ledger().subscribers).toBe(MANY)
    stream.publish({})
    expect(calls).toBe(3 * MANY)
    stream.close()
    expect(young.every(({ closed }) => closed)).toBe(true)
  })
})

describe('the fifo', () => {
  test('gives back what it was given, in order, however it is filled and emptied', () => {
    const fifo = new Fifo<number>()
    let [next, expected] = [0, 0]
    for (let round = 1; round < 300; round++) {
      for (let nth = 0; nth < (round * 7) % 13; nth++) fifo.push(next++)
      for (let nth = 0; nth < (round * 5) % 11 && fifo.size > 0; nth++) expect(fifo.shift()).toBe(expected++)
      expect(fifo.size).toBe(next - expected)
    }
    while (fifo.size > 0) expect(fifo.shift()).toBe(expected++)
    expect(expected).toBe(next)
    expect(fifo.shift()).toBeUndefined()
  })

  test('is empty after clear', () => {
    const fifo = new Fifo<number>()
    for (let nth = 0; nth < 10; nth++) fifo.push(nth)
    fifo.shift()
    fifo.clear()
    expect(fifo.size).toBe(0)
    expect(fifo.shift()).toBeUndefined()
    fifo.push(5)
    expect(fifo.shift()).toBe(5)
  })
})
