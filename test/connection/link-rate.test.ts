import { describe, expect, test } from 'vitest'
import { LinkRate } from '../../src/connection/link-rate.ts'

const MAX_BYTES = 8 * 1024 * 1024
const KIB = 1024

interface SentBarrier {
  readonly startMs: number
  readonly position: number
  readonly dueMs: number
}

/** A link that carries bytes at a rate, and answers each barrier a round trip after what was sent before it. */
class SimulatedLink {
  readonly rate = new LinkRate(MAX_BYTES)
  nowMs = 0
  bytesPerMs: number
  readonly roundTripMs: number
  #sent = 0
  #answered = 0
  #freeAtMs = 0
  readonly #barriers: SentBarrier[] = []
  /** How long each answer took. */
  readonly latenciesMs: number[] = []

  constructor(bytesPerSecond: number, roundTripMs: number) {
    this.bytesPerMs = bytesPerSecond / 1_000
    this.roundTripMs = roundTripMs
  }

  /** Sends as much as may be in flight, a barrier behind each chunk; returns how much that was. */
  send(bytes: number): number {
    let left = Math.min(bytes, this.rate.windowBytes - (this.#sent - this.#answered))
    const sent = Math.max(0, left)
    for (; left > 0; left -= this.rate.chunkBytes) {
      const chunk = Math.min(left, this.rate.chunkBytes)
      this.#freeAtMs = Math.max(this.nowMs, this.#freeAtMs) + chunk / this.bytesPerMs
      this.#sent += chunk
      if (this.#barriers.length === 0) this.rate.begin(this.nowMs, this.#answered)
      const dueMs = this.#freeAtMs + this.roundTripMs
      this.#barriers.push({ startMs: this.nowMs, position: this.#sent, dueMs })
    }
    return sent
  }

  pass(ms: number): void {
    const endMs = this.nowMs + ms
    while ((this.#barriers[0]?.dueMs ?? Infinity) <= endMs) {
      const { startMs, position, dueMs } = this.#barriers.shift() as SentBarrier
      this.nowMs = dueMs
      this.#answered = position
      this.latenciesMs.push(dueMs - startMs)
      this.rate.answered({ startMs, position }, dueMs)
    }
    this.nowMs = endMs
  }
}

const SLOW = [64_000, 250_000, 2_000_000]
const TRIPS = [20, 200, 600]
const links = SLOW.flatMap((rate) => TRIPS.map((trip): [number, number] => [rate, trip]))

describe('a link of which nothing is known', () => {
  test('takes all that may be in flight, in frames of 32 KiB', () => {
    const { windowBytes, chunkBytes } = new LinkRate(MAX_BYTES)
    expect([windowBytes, chunkBytes]).toEqual([MAX_BYTES, 32 * KIB])
  })

  test.each(links)('at %i bytes/s and %i ms answers a burst often enough', (rate, trip) => {
    const link = new SimulatedLink(rate, trip)
    link.send(rate * 5)
    let lastMs = 0
    for (const endMs = 60_000; link.nowMs < endMs; link.pass(10)) {
      const before = link.latenciesMs.length
      link.pass(10)
      if (link.latenciesMs.length > before) lastMs = link.nowMs
      if (link.nowMs < 5_000) expect(link.nowMs - lastMs).toBeLessThan(2_000)
    }
  })
})

describe('a slow link', () => {
  test.each(links)(
    'at %i bytes/s and %i ms holds a second or two of data, and is kept busy',
    (rate, trip) => {
      const link = new SimulatedLink(rate, trip)
      link.send(rate * 4)
      link.pass(6_000)
      const known = link.latenciesMs.length
      let sent = 0
      for (let step = 0; step < 2_000; step++) {
        sent += link.send(rate)
        link.pass(10)
      }
      expect(Math.max(...link.latenciesMs.slice(known))).toBeLessThan(2_500 + trip)
      expect(sent).toBeGreaterThan(rate * 20 * 0.7)
    },
  )

  test('is found to be fast again once it carries more', () => {
    const link = new SimulatedLink(64_000, 20)
    link.send(400_000)
    link.pass(10_000)
    expect(link.rate.windowBytes).toBeLessThan(128 * KIB)
    link.bytesPerMs = 20_000
    for (let step = 0; step < 300; step++) {
      link.send(MAX_BYTES)
      link.pass(10)
    }
    expect(link.rate.windowBytes).toBe(MAX_BYTES)
  })

  test('that answers promptly to little data is given twice the window every ten seconds', () => {
    const link = new SimulatedLink(64_000, 20)
    link.send(400_000)
    link.pass(10_000)
    const { windowBytes } = link.rate
    const windows: number[] = []
    for (let second = 0; second < 25; second++) {
      link.send(100)
      link.pass(1_000)
      windows.push(link.rate.windowBytes)
    }
    expect([windows[0], windows.at(-1)]).toEqual([windowBytes, windowBytes * 4])
  })
})

describe('a fast link', () => {
  test.each([0, 20, 600])(
    'with a round trip of %i ms is never bounded, whatever its publisher does',
    (trip) => {
      const link = new SimulatedLink(50_000_000, trip)
      for (const [bytes, times] of [
        [100, 200],
        [200_000, 50],
        [MAX_BYTES, 20],
        [1_000, 100],
      ] as const) {
        for (let nth = 0; nth < times; nth++) {
          link.send(bytes)
          link.pass(20)
          expect(link.rate.windowBytes).toBe(MAX_BYTES)
        }
      }
      expect(link.rate.chunkBytes).toBe(256 * KIB)
    },
  )

  test('that is far away is not taken for slow while its publisher trickles', () => {
    const link = new SimulatedLink(50_000_000, 1_500)
    for (let nth = 0; nth < 500; nth++) {
      link.send(10_000)
      link.pass(50)
    }
    expect(link.rate.windowBytes).toBe(MAX_BYTES)
  })
})

test('after a barrier that was missed barriers stand close again', () => {
  const link = new SimulatedLink(50_000_000, 1)
  link.send(MAX_BYTES)
  link.pass(1_000)
  expect(link.rate.chunkBytes).toBe(256 * KIB)
  link.rate.missed()
  expect(link.rate.chunkBytes).toBe(32 * KIB)
})
