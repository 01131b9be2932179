import { createHub, type LimitOptions, RivuletError, type Stream, type StreamOptions } from 'rivulet'
import { describe, expect, test } from 'vitest'
import { stopTime } from '../support/fake-time.ts'
import { expectLaws } from '../support/ledger-laws.ts'

stopTime()

/** A stream on a clock that the test moves. */
function streamOn(options: StreamOptions = {}): { stream: Stream; clock: { nowMs: number } } {
  const clock = { nowMs: 0 }
  const stream = createHub({ nowMs: () => clock.nowMs }).stream('s', options as object) as Stream
  return { stream, clock }
}

function limit(ratePerSecond: number, burst: number): { limit: LimitOptions } {
  return { limit: { ratePerSecond, burst } }
}

describe('the limiter of a stream', () => {
  // RELIABILITY 68: the shape of a ten-second run at 30 a second with a burst of 30.
  test('admits at most 30 + 30 × T of a flood in any T seconds of a ten-second run', () => {
    const { stream, clock } = streamOn()
    const admittedAtMs: number[] = []
    for (; clock.nowMs < 10_000; clock.nowMs += 1) {
      for (let ask = 0; ask < 3; ask++) if (stream.tryPublish({}).ok) admittedAtMs.push(clock.nowMs)
    }
    expect(admittedAtMs.length).toBeLessThanOrEqual(330)
    expect(admittedAtMs.length).toBeGreaterThanOrEqual(329)
    expectBound(admittedAtMs, 30, 30)
    expectLaws(stream.ledger())
  })

  test('refuses the 31st message at once with the wait after which one more is accepted', () => {
    const { stream, clock } = streamOn()
    for (let nth = 0; nth < 30; nth++) stream.publish({ nth })
    const refusal = stream.tryPublish({})
    expect(refusal).toMatchObject({ ok: false, code: 'RATE_LIMITED', retryAfterMs: 34 })
    expect(() => stream.publish({})).toThrow(
      expect.objectContaining({ code: 'RATE_LIMITED', retryAfterMs: 34 }),
    )
    clock.nowMs = 33
    expect(stream.tryPublish({}).ok).toBe(false)
    clock.nowMs = 34
    expect(stream.tryPublish({}).ok).toBe(true)
    expect(stream.tryPublish({}).ok).toBe(false)
    expect(stream.ledger().refused.rateLimited).toBe(4)
  })

  test('says in the refusal what happened, the number, and what to do', () => {
    const { stream } = streamOn(limit(1, 1))
    stream.publish({})
    const refusal = stream.tryPublish({})
    if (refusal.ok) throw new Error('accepted')
    expect(refusal.error).toBeInstanceOf(RivuletError)
    expect(refusal.error.message).toContain(
      'The stream is at its rate limit; retry after 1000 ms, or use publishWhenReady or publishLatest.',
    )
  })

  // RELIABILITY 70.
  test('at a rate of 0 accepts the burst and then names no wait that would help', () => {
    const { stream, clock } = streamOn(limit(0, 2))
    stream.publish({})
    stream.publish({})
    clock.nowMs = 1e12
    expect(stream.tryPublish({})).toMatchObject({ retryAfterMs: Infinity })
    expect(stream.budget()).toEqual({ available: 0, retryAfterMs: Infinity })
  })

  test('with limit false accepts everything and names an infinite budget', () => {
    const { stream } = streamOn({ limit: false })
    for (let nth = 0; nth < 10_000; nth++) expect(stream.tryPublish({ nth }).ok).toBe(true)
    expect(stream.budget()).toEqual({ available: Infinity, retryAfterMs: 0 })
  })

  test('tells the budget before and after messages, without taking from it', () => {
    const { stream, clock } = streamOn(limit(10, 3))
    expect(stream.budget()).toEqual({ available: 3, retryAfterMs: 0 })
    expect(stream.budget()).toEqual({ available: 3, retryAfterMs: 0 })
    for (let nth = 0; nth < 3; nth++) stream.publish({})
    expect(stream.budget()).toEqual({ available: 0, retryAfterMs: 100 })
    clock.nowMs = 100
    expect(stream.budget()).toEqual({ available: 1, retryAfterMs: 0 })
  })

  test('counts whoever stands in line in retryAfterMs and in the budget', () => {
    const { stream, clock } = streamOn(limit(10, 1))
    stream.publish({})
    for (let nth = 0; nth < 3; nth++) void stream.publishWhenReady({ nth }).catch(() => {})
    expect(stream.tryPublish({})).toMatchObject({ code: 'RATE_LIMITED', retryAfterMs: 400 })
    expect(stream.budget()).toEqual({ available: 0, retryAfterMs: 400 })
    clock.nowMs = 50
    expect(stream.tryPublish({})).toMatchObject({ retryAfterMs: 350 })
    stream.close()
  })

  test('refuses publish and tryPublish while a message is queued, even with capacity', () => {
    const { stream, clock } = streamOn(limit(10, 2))
    stream.publish({})
    stream.publish({})
    void stream.publishWhenReady({ first: true }).catch(() => {})
    clock.nowMs = 10_000 // the timer has not fired yet
    expect(stream.tryPublish({})).toMatchObject({ code: 'RATE_LIMITED' })
    expect(() => stream.publish({})).toThrow(expect.objectContaining({ code: 'RATE_LIMITED' }))
    expect(stream.budget().available).toBe(0)
    stream.close()
  })

  test('gives each stream a bucket of its own', () => {
    const hub = createHub({ nowMs: () => 0 })
    const [a, b] = [hub.stream('a', limit(1, 1)), hub.stream('b', limit(1, 1))]
    expect([a.tryPublish({}).ok, a.tryPublish({}).ok, b.tryPublish({}).ok]).toEqual([true, false, true])
  })

  // RELIABILITY 69.
  test('owes nothing after a clock set back, and gains at most one bucket from a pause', () => {
    const { stream, clock } = streamOn(limit(10, 2))
    clock.nowMs = 1e9
    expect([1, 2, 3].map(() => stream.tryPublish({}).ok)).toEqual([true, true, false])
    clock.nowMs = 0
    expect(stream.tryPublish({}).ok).toBe(false)
    clock.nowMs = 100
    expect([1, 2].map(() => stream.tryPublish({}).ok)).toEqual([true, false])
    clock.nowMs = 1e12
    expect([1, 2, 3].map(() => stream.tryPublish({}).ok)).toEqual([true, true, false])
  })

  // A first edition read the clock once in a while, so a subscriber that blocked was given room twice.
  test('keeps the bound when a subscriber blocks for long at any message', () => {
    const { stream, clock } = streamOn(limit(10, 3))
    const seenMs: number[] = []
    let blockMs = 0
    stream.subscribe(() => {
      seenMs.push(clock.nowMs)
      clock.nowMs += blockMs
    })
    for (blockMs of [0, 12_000, 0, 0, 30, 60_000, 0, 5, 0]) {
      clock.nowMs += 100
      for (let ask = 0; ask < 10; ask++) stream.tryPublish({})
    }
    expectBound(seenMs, 10, 3)
    expect(seenMs.length).toBeGreaterThan(9)
  })

  test('keeps the bound when reading the data blocks, and publishes before and after', () => {
    const { stream, clock } = streamOn(limit(1, 2))
    const seenMs: number[] = []
    stream.subscribe(() => seenMs.push(clock.nowMs))
    const data = {
      get a() {
        stream.tryPublish({})
        clock.nowMs += 15_000
        for (let ask = 0; ask < 5; ask++) stream.tryPublish({})
        return 1
      },
    }
    expect(stream.tryPublish(data)).toMatchObject({ code: 'RATE_LIMITED' })
    expect(stream.tryPublish({})).toMatchObject({ code: 'RATE_LIMITED' })
    expectBound(seenMs, 1, 2)
    expect(seenMs.length).toBe(3)
  })
})

/** Expects at most `burst + rate × T` in any T seconds. */
function expectBound(atMs: readonly number[], ratePerSecond: number, burst: number): void {
  let most = 0
  for (const [from, firstMs] of atMs.entries()) {
    for (let to = from; to < atMs.length; to++) {
      most = Math.max(most, to - from + 1 - (ratePerSecond * ((atMs[to] as number) - firstMs)) / 1000)
    }
  }
  expect(most).toBeLessThanOrEqual(burst + 1e-6)
}
