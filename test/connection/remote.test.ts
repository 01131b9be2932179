import { type MemoryBus, memoryBus } from '@rivulet/memory'
import {
  createHub,
  type Hub,
  type HubOptions,
  type Message,
  type Stream,
  type StreamOptions,
  type Topic,
  type Transport,
} from 'rivulet'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { expectLawful, stateOf, tick, wire } from '../support/remote-scene.ts'
import { ScriptedTransport } from '../support/scripted-transport.ts'

beforeEach(() => vi.useFakeTimers())
afterEach(() => vi.useRealTimers())

interface Party {
  readonly hub: Hub
  readonly transport: Transport
  readonly stream: Stream
  readonly heard: Message[]
  readonly data: unknown[]
}

/** One more hub on the bus with the stream `news`, subscribed unless told otherwise. */
async function join(
  bus: MemoryBus,
  {
    stream: streamOptions = {},
    subscribed = true,
    ...hubOptions
  }: HubOptions & { stream?: StreamOptions; subscribed?: boolean } = {},
): Promise<Party> {
  const transport = bus.transport()
  const hub = createHub({ transport, ...hubOptions })
  hub.on('error', () => {})
  await hub.ready()
  const stream = hub.stream('news', streamOptions) as unknown as Stream
  const heard: Message[] = []
  if (subscribed) await stream.subscribe((message) => heard.push(message)).ready
  return {
    hub,
    transport,
    stream,
    heard,
    get data() {
      return heard.map(({ data }) => data)
    },
  }
}

describe('three hubs on one bus', () => {
  test('all receive each message once, with the same sid, local only at its publisher', async () => {
    const bus = memoryBus()
    const parties = [await join(bus), await join(bus), await join(bus)]
    const [a, b, c] = parties as [Party, Party, Party]
    const { sid } = a.stream.publish({ n: 1 })
    await tick()
    for (const { heard } of parties) expect(heard.map((message) => message.sid)).toEqual([sid])
    expect([a, b, c].map(({ heard }) => heard[0]?.isLocal)).toEqual([true, false, false])
    for (const { hub } of parties) expectLawful(hub.ledger())
  })

  test('get the same value, local and remote, whatever the publisher gave', async () => {
    const bus = memoryBus()
    const [a, b] = [await join(bus), await join(bus)]
    const odd = {
      date: new Date(0),
      bytes: Buffer.from([1, 2]),
      holes: [...Array(1), undefined, () => {}, Symbol('x'), Object.assign(Array(2), { 1: 1 })],
      nan: Number.NaN,
      zero: -0,
      boxed: [Object(1), Object('s'), Object(true)],
      gone: undefined,
      lone: '\ud800',
      é: '💧',
      toJSON: undefined,
    }
    a.stream.publish(odd)
    await tick()
    expect(a.data).toStrictEqual([JSON.parse(JSON.stringify(odd))])
    expect(b.data).toStrictEqual(a.data)
    expect(JSON.stringify(b.heard[0])).toContain(`"sid":"${a.heard[0]?.sid}"`)
  })

  test('of different names, and streams of different names, hear nothing of each other', async () => {
    const bus = memoryBus()
    const [a, other] = [await join(bus), await join(bus, { name: 'other' })]
    const heard: unknown[] = []
    await a.hub.stream('News').subscribe((message) => heard.push(message)).ready
    const b = await join(bus)
    b.stream.publish({})
    await tick()
    expect([a.heard.length, other.heard.length, heard.length]).toEqual([1, 0, 0])
  })

  // RELIABILITY 44, 22
  test('send each frame once to each hub, however many subscribe there', async () => {
    const bus = memoryBus()
    const [a, b] = [await join(bus, { subscribed: false }), await join(bus)]
    const more = Array.from({ length: 9 }, () => vi.fn())
    for (const listener of more) b.stream.subscribe(listener)
    a.stream.publish({})
    await tick()
    expect(bus.counts().sent).toBe(1)
    for (const listener of more) expect(listener).toHaveBeenCalledTimes(1)
  })

  // RELIABILITY 21
  test('do not hear themselves twice on a bus that echoes', async () => {
    const bus = memoryBus({ echoes: true })
    const [a, b] = [await join(bus), await join(bus)]
    const second = vi.fn()
    a.stream.subscribe(second)
    for (let n = 0; n < 10; n++) a.stream.publish({ n })
    await tick()
    expect([a.heard.length, b.heard.length, second.mock.calls.length]).toEqual([10, 10, 10])
    expect(a.stream.ledger().dropped.echo).toBe(1) // one frame, dropped undecoded
  })

  test('agree on the order of one publisher, re-entrant publishing included', async () => {
    const bus = memoryBus()
    const [a, b] = [await join(bus), await join(bus)]
    a.stream.subscribe(({ data }) => {
      const { n } = data as { n: number }
      if (n < 5) a.stream.publish({ n: n + 10 })
    })
    for (let n = 0; n < 5; n++) a.stream.publish({ n })
    await tick()
    expect(b.data).toEqual(a.data)
    expect(b.stream.ledger()).toMatchObject({ missed: 0, reordered: 0 })
  })

  // RELIABILITY 39
  test('that answer each other without end stop at the limiter', async () => {
    const bus = memoryBus()
    const [a, b] = [await join(bus), await join(bus)]
    for (const { stream } of [a, b]) {
      stream.subscribe(({ isLocal }) => {
        if (!isLocal) stream.tryPublish({ pong: true })
      })
    }
    a.stream.publish({ ping: true })
    await vi.advanceTimersByTimeAsync(10_000)
    for (const { hub, heard } of [a, b]) {
      expect(heard.length).toBeLessThanOrEqual(30 + 7.5 + 1.001 * 30 * (10 + 1))
      expectLawful(hub.ledger())
    }
  })
})

describe('interest', () => {
  // RELIABILITY 28
  test('begins with ready: earlier messages are not delivered, the first after it is', async () => {
    const bus = memoryBus()
    const a = await join(bus, { subscribed: false, stream: { limit: false } })
    for (let round = 0; round < 100; round++) {
      const b = await join(bus, { subscribed: false })
      const heard: unknown[] = []
      a.stream.publish({ before: round })
      await b.stream.subscribe(({ data }) => heard.push(data)).ready
      a.stream.publish({ after: round })
      await tick()
      expect(heard).toEqual([{ after: round }])
      await b.hub.close()
    }
  })

  test('ends with the last unsubscribe: nothing is carried to this hub any more', async () => {
    const bus = memoryBus()
    const [a, b] = [await join(bus), await join(bus, { subscribed: false })]
    const subscription = b.stream.subscribe(() => {})
    await subscription.ready
    subscription.unsubscribe()
    await tick()
    a.stream.publish({})
    await tick()
    expect(bus.counts(b.transport).sent).toBe(0)
    expect(b.hub.ledger().received).toBe(0)
  })

  // RELIABILITY 40
  test('ends at once for the listener: nothing in flight is delivered after unsubscribe', async () => {
    const bus = memoryBus()
    const a = await join(bus)
    const b = await join(bus, { subscribed: false })
    const listener = vi.fn()
    const subscription = b.stream.subscribe(listener)
    await subscription.ready
    a.stream.publish({})
    await Promise.resolve()
    subscription.unsubscribe()
    await tick()
    expect(listener).not.toHaveBeenCalled()
    expectLawful(b.hub.ledger())
  })

  test.each<[string, (scene: Scene) => Promise<unknown>]>([
    ['leaves and comes again', async ({ leave }) => leave()],
    [
      'was cut off and is back',
      async ({ transport }) => {
        transport.host.down()
        await vi.advanceTimersByTimeAsync(1_000)
      },
    ],
  ])('of one that %s still shows nothing twice and nothing stale', async (_, interrupt) => {
    const transport = new ScriptedTransport()
    const hub = createHub({ transport })
    hub.on('error', () => {})
    const stream = hub.stream('scene', { limit: false })
    const heard: unknown[] = []
    const listen = () => stream.subscribe(({ data }) => heard.push(data))
    let subscription = listen()
    await subscription.ready
    const receive = (...frame: unknown[]) =>
      transport.host.receive('rivulet/default/scene' as Topic, JSON.stringify(frame))
    receive(wire(1, 0), wire(3, 0))
    const leave = async () => {
      subscription.unsubscribe()
      await tick()
      subscription = listen()
      await subscription.ready
    }
    await interrupt({ transport, leave })
    await vi.advanceTimersByTimeAsync(10_000)
    receive(wire(3, 0), wire(1, 10_000), wire(4, 0), wire(5, 10_000))
    expect(heard).toEqual([{ n: 1 }, { n: 3 }, { n: 5 }])
    expect(stream.ledger()).toMatchObject({ missed: 1, dropped: { duplicate: 2, stale: 1 } })
  })

  interface Scene {
    readonly transport: ScriptedTransport
    leave(): Promise<void>
  }

  test('of one that comes again counts nothing as missed that was sent meanwhile', async () => {
    const bus = memoryBus()
    const [a, b] = [await join(bus, { stream: { limit: false } }), await join(bus, { subscribed: false })]
    const listen = async () => {
      const subscription = b.stream.subscribe(() => {})
      await subscription.ready
      return subscription
    }
    const first = await listen()
    a.stream.publish({ n: 1 })
    await tick()
    first.unsubscribe()
    await tick()
    for (let n = 2; n < 50; n++) a.stream.publish({ n })
    await tick()
    await listen()
    a.stream.publish({ n: 50 })
    await tick()
    expect(b.stream.ledger()).toMatchObject({ delivered: 2, missed: 0 })
  })
})

describe('remove', () => {
  test('ends the stream in the processes that subscribe and accept removal', async () => {
    const bus = memoryBus()
    const [a, b, c] = [await join(bus), await join(bus), await join(bus, { acceptRemoval: false })]
    const removed: unknown[] = []
    for (const { stream } of [a, b, c]) stream.on('removed', (payload) => removed.push(payload))
    b.hub.on('streamRemoved', (payload) => removed.push(payload))
    a.stream.publish({ last: true })
    a.stream.remove()
    expect(removed).toEqual([{ reason: 'removed', isLocal: true }])
    await tick()
    expect(removed).toHaveLength(3)
    expect(removed).toContainEqual({ reason: 'removed', isLocal: false })
    expect(removed).toContainEqual({ reason: 'removed', isLocal: false, name: 'news' })
    expect([b.data, c.data]).toEqual([[{ last: true }], [{ last: true }]])
    expect([a, b, c].map(({ stream }) => stream.closed)).toEqual([true, true, false])
    const again = b.hub.stream('news')
    expect(again).not.toBe(b.stream)
    await again.subscribe(() => {}).ready
    await tick()
    expect(again.closed).toBe(false)
  })

  test('is not what expiry does: that ends the stream in its own process only', async () => {
    const bus = memoryBus()
    const [a, b] = [await join(bus, { stream: { ttlSeconds: 1 } }), await join(bus)]
    await vi.advanceTimersByTimeAsync(1_000)
    expect([a.stream.closed, b.stream.closed]).toEqual([true, false])
    const again = a.hub.stream('news', { ttlSeconds: 0 })
    again.publish({ n: 1 })
    await tick()
    expect(b.data).toEqual([{ n: 1 }])
  })
})

describe('an outage of the bus', () => {
  // RELIABILITY 1
  test('loses what is published in it, counted, and nothing of it comes later', async () => {
    const bus = memoryBus()
    const [a, b] = [await join(bus), await join(bus)]
    a.stream.publish({ n: 1 })
    await tick()
    bus.down()
    await tick()
    expect([a.hub.status, b.hub.status]).toEqual(['down', 'down'])
    a.stream.publish({ n: 2 })
    a.stream.publish({ n: 3 })
    await tick()
    bus.up()
    await vi.advanceTimersByTimeAsync(10_000)
    expect([a.hub.status, b.hub.status]).toEqual(['up', 'up'])
    a.stream.publish({ n: 4 })
    await vi.advanceTimersByTimeAsync(20)
    expect(a.data).toEqual([1, 2, 3, 4].map((n) => ({ n })))
    expect(b.data).toEqual([1, 4].map((n) => ({ n })))
    expect(a.stream.ledger()).toMatchObject({ accepted: 4, confirmed: 2, lost: { offline: 2 } })
    expect(b.stream.ledger()).toMatchObject({ received: 2, missed: 0 })
  })

  // RELIABILITY 1
  test('five times over delivers each message at most once, and all are accounted for', async () => {
    const bus = memoryBus({ seed: 5, duplicate: 0.2, reorder: 0.2 })
    const options = { stream: { limit: false, batch: false } } as const
    const [a, b] = [await join(bus, options), await join(bus, options)]
    for (let round = 0; round < 5; round++) {
      for (let n = 0; n < 30; n++) {
        a.stream.publish({ round, n })
        if (n === 10) bus.down()
        if (n === 20) bus.up()
        await vi.advanceTimersByTimeAsync(33)
      }
      await vi.advanceTimersByTimeAsync(6_000)
      expect([a.hub.status, b.hub.status]).toEqual(['up', 'up'])
    }
    const sids = b.heard.map(({ sid }) => sid)
    expect(new Set(sids).size).toBe(sids.length)
    const ledger = await a.hub.close()
    expect(ledger.accepted).toBe(150)
    expect(ledger.confirmed + ledger.unconfirmed + ledger.lost.offline).toBe(150)
    expect(ledger.lost.offline).toBeGreaterThan(0)
    expectLawful(ledger)
    expectLawful(await b.hub.close())
  })

  // RELIABILITY 34, 36
  test('in a partition is counted as missed by those cut off, and by no other', async () => {
    const bus = memoryBus()
    const options = { stream: { limit: false, batch: false } } as const
    const [a, b, c] = [await join(bus, options), await join(bus, options), await join(bus, options)]
    a.stream.publish({ n: 0 })
    await tick()
    bus.partition(a.transport, b.transport)
    for (let n = 1; n <= 20; n++) a.stream.publish({ n })
    await tick()
    bus.heal()
    a.stream.publish({ n: 21 })
    await vi.advanceTimersByTimeAsync(100)
    expect([b.stream.ledger().missed, c.stream.ledger().missed]).toEqual([20, 0])
    expect(a.stream.ledger()).toMatchObject({ accepted: 22, confirmed: 22 })
  })
})

describe('a freeze', () => {
  // RELIABILITY 3, 4
  test('shorter than the age limit delivers everything, late and in order', async () => {
    const bus = memoryBus()
    const [a, b] = [await join(bus), await join(bus)]
    a.stream.publish({ n: 0 })
    await tick()
    bus.freeze()
    for (let n = 1; n <= 3; n++) {
      a.stream.publish({ n })
      await vi.advanceTimersByTimeAsync(500)
    }
    bus.thaw()
    await tick()
    expect(b.data).toEqual([0, 1, 2, 3].map((n) => ({ n })))
    expect(a.stream.ledger()).toMatchObject({ confirmed: 4 })
  })

  test('beyond two barriers ends the connection; sent messages are unconfirmed', async () => {
    const bus = memoryBus()
    const [a, b] = [await join(bus), await join(bus)]
    a.stream.publish({ n: 0 })
    await tick()
    bus.freeze()
    a.stream.publish({ n: 1 })
    await vi.advanceTimersByTimeAsync(5_000)
    expect(a.hub.status).toBe('down')
    expect(a.stream.ledger()).toMatchObject({ confirmed: 1, unconfirmed: 1 })
    bus.thaw()
    await vi.advanceTimersByTimeAsync(10_000)
    expect(a.hub.status).toBe('up')
    a.stream.publish({ n: 2 })
    await tick()
    expect(b.data.filter((data) => JSON.stringify(data) === '{"n":1}').length).toBeLessThanOrEqual(1)
    expect(b.data.at(-1)).toEqual({ n: 2 })
  })

  // RELIABILITY 4
  test('of a receiver that only listens hands over nothing older than the age limit', async () => {
    const bus = memoryBus()
    const options = { stream: { limit: false, maxAgeMs: 1_000 } } as const
    const [a, b] = [await join(bus, options), await join(bus, options)]
    a.stream.publish({ n: 0 })
    await tick()
    bus.freeze()
    for (let n = 1; n <= 30; n++) {
      a.stream.publish({ n })
      await vi.advanceTimersByTimeAsync(100)
    }
    bus.thaw()
    await tick()
    expect(b.data.slice(1)).toEqual(Array.from({ length: 10 }, (_, nth) => ({ n: 21 + nth })))
    expect(b.stream.ledger()).toMatchObject({ delivered: 11, missed: 0, dropped: { stale: 20 } })
  })
})

describe('closing', () => {
  // RELIABILITY 30
  test('hands over a thousand messages published just before', async () => {
    const bus = memoryBus()
    const options = { stream: { limit: false } } as const
    const [a, b] = [await join(bus, options), await join(bus, options)]
    for (let n = 0; n < 1_000; n++) a.stream.publish({ n })
    const closing = a.hub.close()
    await vi.advanceTimersByTimeAsync(100)
    expect(await closing).toMatchObject({ accepted: 1_000, confirmed: 1_000 })
    expect(b.heard).toHaveLength(1_000)
  })

  test('a stream lets what was published go out, and a subscription of it ends', async () => {
    const bus = memoryBus()
    const [a, b] = [await join(bus), await join(bus)]
    a.stream.publish({ n: 1 })
    a.stream.close()
    b.stream.publish({ n: 2 })
    await tick()
    expect(a.data).toEqual([{ n: 1 }])
    expect(new Set(b.data.map((data) => JSON.stringify(data)))).toEqual(new Set(['{"n":1}', '{"n":2}']))
    expect(a.hub.ledger()).toMatchObject({ confirmed: 1, subscribers: 0 })
  })

  test('rejects the ready of who waits', async () => {
    const bus = memoryBus()
    const a = await join(bus, { subscribed: false })
    bus.freeze()
    const { ready } = a.stream.subscribe(() => {})
    expect(await stateOf(ready)).toBe('pending')
    const closing = a.hub.close()
    expect(await stateOf(ready)).toMatchObject({ code: 'HUB_CLOSED' })
    await vi.advanceTimersByTimeAsync(5_000)
    await closing
  })
})

describe('the limit of a stream', () => {
  // RELIABILITY 72
  test('is shared by all publishers: no subscriber sees more than the documented bound', async () => {
    const bus = memoryBus()
    const parties = [await join(bus), await join(bus), await join(bus)]
    for (let step = 0; step < 100; step++) {
      for (const { stream } of parties) stream.tryPublish({ step })
      await vi.advanceTimersByTimeAsync(50)
    }
    for (const { heard, hub } of parties) {
      expect(heard.length).toBeLessThanOrEqual(30 + 7.5 + 1.001 * 30 * (5 + 1))
      expectLawful(hub.ledger())
    }
  })
})
