import { memoryBus } from '@rivulet/memory'
import { createHub, type LimitOptions, RivuletError, type Stream, type StreamOptions } from 'rivulet'
import { describe, expect, test } from 'vitest'
import { stopTime, tick } from './support/fake-time.ts'
import { expectLaws } from './support/ledger-laws.ts'

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

const cycle: Record<string, unknown> = {}
cycle.self = cycle

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
    for (const [from, firstMs] of admittedAtMs.entries()) {
      for (let to = from; to < admittedAtMs.length; to++) {
        const windowMs = (admittedAtMs[to] as number) - firstMs
        expect(to - from + 1).toBeLessThanOrEqual(30 + (30 * windowMs) / 1000 + 1e-6)
      }
    }
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
    expect(refusal.error.message).toBe(
      'The stream is at its rate limit; retry after 1000 ms, or use publishWhenReady or publishLatest.',
    )
  })

  // RELIABILITY 70.
  test('at a rate of 0 accepts the burst and then names no wait that would help', () => {
    const { stream, clock } = streamOn(limit(0, 2))
    stream.publish({})
    stream.publish({})
    clock.nowMs = 1e12
    expect(stream.tryPublish({})).toMatchObject({ retryAfterMs: Number.POSITIVE_INFINITY })
    expect(stream.budget()).toEqual({ available: 0, retryAfterMs: Number.POSITIVE_INFINITY })
  })

  test('with limit false accepts everything and names an infinite budget', () => {
    const { stream } = streamOn({ limit: false })
    for (let nth = 0; nth < 10_000; nth++) expect(stream.tryPublish({ nth }).ok).toBe(true)
    expect(stream.budget()).toEqual({ available: Number.POSITIVE_INFINITY, retryAfterMs: 0 })
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

  test('refuses publish and tryPublish while somebody stands in line, even when there is room', () => {
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
  test('owes nothing after a clock that was set back, and gains no more than one bucket from a huge pause', () => {
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
})

describe('the order of checks', () => {
  const schema = {
    '~standard': {
      version: 1 as const,
      vendor: 'test',
      validate: (value: unknown) =>
        (value as { bad?: boolean }).bad ? { issues: [{ message: 'is bad' }] } : { value: value as object },
    },
  }

  // RELIABILITY 54, 71: what is refused for another reason takes no room.
  test('takes no room for data that is refused', () => {
    const { stream } = streamOn({ ...limit(0, 2), maxBytes: 20, schema } as StreamOptions)
    for (const data of [cycle, { a: 'x'.repeat(30) }, { bad: true }, { n: 1n }]) {
      expect(stream.tryPublish(data).ok).toBe(false)
      expect(stream.budget().available).toBe(2)
    }
    expect(stream.tryPublish({}).ok).toBe(true)
    expect(stream.ledger()).toMatchObject({
      refused: { invalidData: 2, tooLarge: 1, schema: 1 },
      accepted: 1,
    })
    expectLaws(stream.ledger())
  })

  test('looks at the bucket before it reads the data', () => {
    const { stream } = streamOn(limit(0, 1))
    stream.publish({})
    let reads = 0
    const data = {
      get value() {
        reads++
        return 1
      },
    }
    expect(stream.tryPublish(data)).toMatchObject({ code: 'RATE_LIMITED' })
    expect(stream.tryPublish(cycle)).toMatchObject({ code: 'RATE_LIMITED' })
    expect(reads).toBe(0)
  })

  test('names closed before it looks at a full queue', () => {
    const { stream } = streamOn({ maxWaiting: 0 })
    const codes: unknown[] = []
    const ask = () => {
      const result = stream.tryPublish({})
      codes.push(result.ok || result.code)
    }
    stream.subscribe(() => {
      ask()
      stream.close()
      ask()
    })
    stream.publish({})
    expect(codes).toEqual(['WAITING_LINE_FULL', 'STREAM_CLOSED'])
  })

  test('names closed before it looks at the bucket', () => {
    const { stream } = streamOn(limit(0, 1))
    stream.publish({})
    stream.close()
    expect(stream.tryPublish(cycle)).toMatchObject({ code: 'STREAM_CLOSED' })
  })

  test('names the size before the schema', () => {
    const { stream } = streamOn({ maxBytes: 20, schema } as StreamOptions)
    expect(stream.tryPublish({ bad: true, a: 'x'.repeat(30) })).toMatchObject({ code: 'PAYLOAD_TOO_LARGE' })
  })

  test('looks again whether the stream is closed after user code ran', () => {
    const { stream } = streamOn()
    const seen: unknown[] = []
    stream.subscribe((message) => seen.push(message))
    const data = {
      toJSON() {
        stream.close()
        return {}
      },
    }
    expect(stream.tryPublish(data)).toMatchObject({ code: 'STREAM_CLOSED' })
    expect(seen).toEqual([])
    expect(stream.ledger()).toMatchObject({ attempts: 1, accepted: 0, refused: { closed: 1 } })
  })

  test('looks again for room after user code that published', () => {
    const { stream } = streamOn(limit(0, 1))
    const inner: unknown[] = []
    const data = {
      toJSON() {
        inner.push(stream.tryPublish({ inner: true }))
        return {}
      },
    }
    expect(stream.tryPublish(data)).toMatchObject({ code: 'RATE_LIMITED' })
    expect(inner).toMatchObject([{ ok: true }])
    expect(stream.ledger()).toMatchObject({ attempts: 2, accepted: 1, refused: { rateLimited: 1 } })
  })

  test('keeps the laws of the ledger inside user code that an attempt runs', () => {
    const { stream } = streamOn()
    const data = {
      toJSON() {
        expectLaws(stream.ledger())
        return {}
      },
    }
    stream.subscribe(() => expectLaws(stream.ledger()))
    stream.publish(data)
    stream.publishLatest(data)
    void stream.publishWhenReady(data)
    expect(stream.ledger()).toMatchObject({ accepted: 3, listenerErrors: 0 })
  })
})

describe('a bucket that belongs to the stream', () => {
  async function twoHubs(limitOptions: LimitOptions | false) {
    const bus = memoryBus()
    const clock = { nowMs: 0 }
    const hubs = [1, 2].map(() => createHub({ transport: bus.transport(), nowMs: () => clock.nowMs }))
    await Promise.all(hubs.map((hub) => hub.ready()))
    const [here, there] = hubs.map((hub) => hub.stream('s', { limit: limitOptions }))
    return { here: here as Stream, there: there as Stream, clock }
  }

  async function listen(stream: Stream): Promise<unknown[]> {
    const heard: unknown[] = []
    const subscription = stream.subscribe((message) => heard.push(message.data))
    await subscription.ready
    return heard
  }

  test('is filled by messages from other processes', async () => {
    const { here, there } = await twoHubs({ ratePerSecond: 0, burst: 8 })
    await listen(here)
    for (let nth = 0; nth < 4; nth++) there.publish({ nth })
    await tick()
    expect(here.ledger().delivered).toBe(4)
    expect(here.budget().available).toBe(4)
    expect([1, 2, 3, 4, 5].map(() => here.tryPublish({}).ok)).toEqual([true, true, true, true, false])
  })

  test('leaves room for local messages whatever the peers send', async () => {
    const { here, there } = await twoHubs({ ratePerSecond: 0, burst: 8 })
    const heard = await listen(here)
    for (let nth = 0; nth < 8; nth++) there.publish({ nth })
    await tick()
    expect(heard.length).toBe(6)
    expect(here.ledger()).toMatchObject({ received: 8, delivered: 6, dropped: { rateLimited: 2 } })
    expect([1, 2, 3].map(() => here.tryPublish({}).ok)).toEqual([true, true, false])
    expectLaws(here.ledger())
  })

  test('shows no subscriber more than burst + rate × T, whatever local and remote publishers do', async () => {
    const { here, there, clock } = await twoHubs({ ratePerSecond: 100, burst: 10 })
    const heard = await listen(here)
    for (let step = 0; step < 50; step++) {
      for (let ask = 0; ask < 20; ask++) {
        here.tryPublish({})
        there.tryPublish({})
      }
      await tick()
      expect(heard.length).toBeLessThanOrEqual(10 + (100 * clock.nowMs) / 1000 + 1e-6)
      clock.nowMs += 10
    }
    expect(heard.length).toBeGreaterThanOrEqual(10 + 100 * 0.48)
  })

  test('with scope process counts only what this process publishes', async () => {
    const { here, there } = await twoHubs({ ratePerSecond: 0, burst: 4, scope: 'process' })
    const heard = await listen(here)
    for (let nth = 0; nth < 4; nth++) there.publish({ nth })
    await tick()
    expect(heard.length).toBe(4)
    expect(here.budget().available).toBe(4)
    expect([1, 2, 3, 4, 5].map(() => here.tryPublish({}).ok)).toEqual([true, true, true, true, false])
    expect(here.ledger().dropped.rateLimited).toBe(0)
  })

  test('with limit false lets everything in', async () => {
    const { here, there } = await twoHubs(false)
    const heard = await listen(here)
    for (let nth = 0; nth < 500; nth++) there.publish({ nth })
    await tick()
    expect(heard.length).toBe(500)
    expect(here.ledger().dropped.rateLimited).toBe(0)
  })
})

describe('the bucket and what comes over the wire', () => {
  const ORIGIN = 'a'.repeat(16)
  const sidOf = (n: number) => `TZ${ORIGIN}${n.toString(16).padStart(16, '0')}`
  const entry = (n: number) => ({ data: { n }, sid: sidOf(n) })

  /** A stream that listens, and a stranger that writes what it likes on its topic. */
  async function withStranger(burst: number, options: StreamOptions = {}) {
    const bus = memoryBus({ echoes: true })
    const stranger = bus.transport()
    await stranger.open(
      { receive: () => {}, down: () => {}, error: () => {}, left: () => {} },
      new AbortController().signal,
    )
    const clock = { nowMs: 0 }
    const hub = createHub({ transport: bus.transport(), nowMs: () => clock.nowMs })
    await hub.ready()
    const stream = hub.stream<{ n: number }>('s', {
      limit: { ratePerSecond: 10, burst },
      ...options,
    } as object)
    const heard: number[] = []
    await stream.subscribe((message) => heard.push(message.data.n)).ready
    const send = async (...frames: unknown[]) => {
      for (const frame of frames) {
        stranger.send('rivulet/default/s' as never, typeof frame === 'string' ? frame : JSON.stringify(frame))
      }
      await tick()
    }
    return { stream, heard, send, clock }
  }

  test('drop a frame undecoded when there is no room for one message, as one received, one rateLimited', async () => {
    const { stream, heard, send } = await withStranger(4)
    await send([1, 2, 3].map(entry))
    expect(heard).toEqual([1, 2, 3])
    await send([4, 5, 6].map(entry), 'not even JSON', [7].map(entry))
    expect(heard).toEqual([1, 2, 3])
    expect(stream.ledger()).toMatchObject({
      received: 6,
      delivered: 3,
      dropped: { rateLimited: 3, malformed: 0 },
    })
    expectLaws(stream.ledger())
  })

  test('charge each message of a decoded frame, and drop those past the room one by one', async () => {
    const { stream, heard, send } = await withStranger(4)
    await send([1, 2, 3, 4, 5].map(entry))
    expect(heard).toEqual([1, 2, 3])
    expect(stream.ledger()).toMatchObject({ received: 5, delivered: 3, dropped: { rateLimited: 2 } })
    expect(stream.budget().available).toBe(1)
  })

  test('charge nothing for duplicates, stale ones and what is malformed', async () => {
    const { stream, send, clock } = await withStranger(8)
    await send([1, 1, 1].map(entry), [entry(1), { data: 5 }, { sid: 'no' }])
    expect(stream.ledger()).toMatchObject({ delivered: 1, dropped: { duplicate: 3, malformed: 2 } })
    expect(stream.budget().available).toBe(7)
    await send({ ...entry(2), t: 0 })
    clock.nowMs = 60_000
    await send([3, 4].map((n) => ({ ...entry(n), t: 0 })))
    expect(stream.ledger()).toMatchObject({ delivered: 2, dropped: { stale: 2 } })
    expect(stream.budget().available).toBe(8)
  })

  test('charge nothing for own messages that come back, however full the bucket is', async () => {
    const { stream, heard } = await withStranger(2, { batch: false })
    stream.publish({ n: 1 })
    stream.publish({ n: 2 })
    await tick()
    expect(heard).toEqual([1, 2])
    expect(stream.ledger()).toMatchObject({ received: 2, dropped: { echo: 2, rateLimited: 0 } })
    expect(stream.budget().retryAfterMs).toBe(100)
  })

  test('fill a second bucket with garbage, which bounds its cost and takes nothing of the shared one', async () => {
    const { stream, heard, send, clock } = await withStranger(8)
    await send(...Array.from({ length: 100 }, (_, nth) => `garbage ${nth}`))
    expect(stream.ledger()).toMatchObject({ received: 100, dropped: { malformed: 8, rateLimited: 92 } })
    expect(stream.budget()).toEqual({ available: 8, retryAfterMs: 0 })
    expect(stream.tryPublish({ n: 0 }).ok).toBe(true)
    clock.nowMs = 100
    await send([entry(1)])
    expect(heard).toEqual([0, 1])
    expectLaws(stream.ledger())
  })
})
