import { memoryBus } from '@rivulet/memory'
import { createHub, type LimitOptions, type Stream, type StreamOptions } from 'rivulet'
import { describe, expect, test } from 'vitest'
import { pass, stopTime, tick } from '../support/fake-time.ts'
import { expectLaws } from '../support/ledger-laws.ts'

stopTime()

describe('a receiver that publishes nothing', () => {
  /** The same stream of two processes; the second one listens. */
  async function linked(options: StreamOptions, bus = memoryBus()) {
    const hubs = [1, 2].map(() => createHub({ transport: bus.transport() }))
    await Promise.all(hubs.map((hub) => hub.ready()))
    const [here, there] = hubs.map((hub) => hub.stream('s', options)) as [Stream, Stream]
    const heard = new Set<string>()
    await there.subscribe(({ sid }) => heard.add(sid)).ready
    return { here, there, heard }
  }

  test('lets a whole burst of 30 in with the default options', async () => {
    const { here, there, heard } = await linked({})
    for (let n = 0; n < 30; n++) here.publish({ n })
    await tick()
    expect(heard.size).toBe(30)
    expect(there.ledger().dropped.rateLimited).toBe(0)
  })

  test.each([[50], [1]])(
    'admit a stream paced at its rate with a burst of %d, over a bus of 0 to 3 ms',
    async (burst) => {
      const limit = { ratePerSecond: 50, burst }
      const { here, there, heard } = await linked({ limit }, memoryBus({ delayMs: [0, 3] }))
      for (let n = 0; n < 200; n++) {
        here.publish({ n })
        await pass(20, 1)
      }
      expect(heard.size).toBe(200)
      expect(there.ledger()).toMatchObject({ delivered: 200, dropped: { rateLimited: 0 } })
    },
  )
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
    expect(heard.length).toBe(8)
    expect([1, 2, 3].map(() => here.tryPublish({}).ok)).toEqual([true, true, false])
    expectLaws(here.ledger())
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

  /** A subscribed stream, and a bare transport that sends arbitrary frames on its topic. */
  async function withRawTransport(burst: number, options: StreamOptions = {}) {
    const bus = memoryBus({ echoes: true })
    const raw = bus.transport()
    await raw.open(
      {
        hub: 'default',
        receive: () => {},
        watched: () => {},
        down: () => {},
        error: () => {},
        left: () => {},
      },
      new AbortController().signal,
    )
    const clock = { nowMs: 0 }
    const hub = createHub({ transport: bus.transport(), nowMs: () => clock.nowMs })
    hub.on('error', () => {})
    await hub.ready()
    const stream = hub.stream<{ n: number }>('s', {
      limit: { ratePerSecond: 10, burst },
      ...options,
    } as object)
    const heard: number[] = []
    await stream.subscribe((message) => heard.push(message.data.n)).ready
    const send = async (...frames: unknown[]) => {
      for (const frame of frames) {
        raw.send('rivulet/default/s' as never, typeof frame === 'string' ? frame : JSON.stringify(frame))
      }
      await tick()
    }
    return { stream, heard, send, clock }
  }

  const entries = (from: number, to: number) =>
    Array.from({ length: to - from + 1 }, (_, nth) => entry(from + nth))

  test('drop a frame undecoded without capacity for one message, as one rateLimited', async () => {
    const { stream, heard, send } = await withRawTransport(4)
    await send(entries(1, 14)) // the burst, and what a second lets in
    expect(heard.length).toBe(14)
    await send(entries(15, 17), 'not even JSON', entries(18, 18))
    expect(heard.length).toBe(14)
    expect(stream.ledger()).toMatchObject({
      received: 17,
      delivered: 14,
      dropped: { rateLimited: 3, malformed: 0 },
    })
    expectLaws(stream.ledger())
  })

  test('charge each message of a decoded frame, and drop those past the room one by one', async () => {
    const { stream, heard, send } = await withRawTransport(4)
    await send(entries(1, 16))
    expect(heard).toEqual(Array.from({ length: 14 }, (_, nth) => nth + 1))
    expect(stream.ledger()).toMatchObject({ received: 16, delivered: 14, dropped: { rateLimited: 2 } })
    expect(stream.budget().available).toBe(1)
  })

  test('charge nothing for duplicates, stale ones and what is malformed', async () => {
    const { stream, send, clock } = await withRawTransport(8)
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
    const { stream, heard } = await withRawTransport(2, { batch: false })
    stream.publish({ n: 1 })
    stream.publish({ n: 2 })
    await tick()
    expect(heard).toEqual([1, 2])
    expect(stream.ledger()).toMatchObject({ received: 2, dropped: { echo: 2, rateLimited: 0 } })
    expect(stream.budget().retryAfterMs).toBe(100)
  })

  test('fill a second bucket with garbage, which bounds its cost, not the shared one', async () => {
    const { stream, heard, send, clock } = await withRawTransport(8)
    await send(...Array.from({ length: 100 }, (_, nth) => `garbage ${nth}`))
    expect(stream.ledger()).toMatchObject({ received: 100, dropped: { malformed: 18, rateLimited: 82 } })
    expect(stream.budget()).toEqual({ available: 8, retryAfterMs: 0 })
    expect(stream.tryPublish({ n: 0 }).ok).toBe(true)
    clock.nowMs = 100
    await send([entry(1)])
    expect(heard).toEqual([0, 1])
    expectLaws(stream.ledger())
  })
})
