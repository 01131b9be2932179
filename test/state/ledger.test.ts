import { memoryBus } from '@rivulet/memory'
import { createHub, type Hub, type Stream, type StreamOptions } from 'rivulet'
import { describe, expect, test } from 'vitest'
import { pass, passUntil, stopTime, tick } from '../support/fake-time.ts'
import { expectLaws, flatten, sumOfLedgers } from '../support/ledger-laws.ts'

stopTime()

const schema = {
  '~standard': {
    version: 1 as const,
    vendor: 'test',
    validate: (value: unknown) =>
      (value as { bad?: boolean }).bad ? { issues: [{ message: 'is bad' }] } : { value: value as object },
  },
}

async function linked(
  options: StreamOptions = { limit: false },
  bus = memoryBus(),
): Promise<{ hubs: [Hub, Hub]; here: Stream; there: Stream; bus: typeof bus }> {
  const hubs = [1, 2].map(() => createHub({ transport: bus.transport() })) as [Hub, Hub]
  for (const hub of hubs) hub.on('error', () => {})
  await passUntil(Promise.all(hubs.map((hub) => hub.ready())))
  const [here, there] = hubs.map((hub) => hub.stream('s', options as object)) as [Stream, Stream]
  await there.subscribe(() => {}).ready
  return { hubs, here, there, bus }
}

describe('the ledger of attempts', () => {
  test('starts with nothing', () => {
    const ledger = createHub().stream('s').ledger()
    expect([...flatten(ledger).values()].every((count) => count === 0)).toBe(true)
    expect(flatten(ledger).size).toBe(37)
  })

  test('counts every attempt of every verb in exactly one bucket', async () => {
    const options = { limit: { ratePerSecond: 0, burst: 3 }, maxBytes: 40, maxWaiting: 2, schema }
    const stream = createHub().stream('s', options as StreamOptions) as Stream
    const outcomes: [act: () => unknown, bucket: string][] = [
      [() => stream.publish({}), 'accepted'],
      [() => stream.tryPublish({}), 'accepted'],
      [() => stream.tryPublish({ n: 1n } as never), 'refused.invalidData'],
      [() => stream.tryPublish({ s: 'x'.repeat(50) }), 'refused.tooLarge'],
      [() => stream.tryPublish({ bad: true }), 'refused.schema'],
      [() => stream.subject.next({}), 'accepted'],
      [() => stream.tryPublish({}), 'refused.rateLimited'],
      [() => stream.publishLatest({}), 'waiting'],
      [() => stream.publishLatest({}), 'conflated'],
      [() => void stream.publishWhenReady({}).catch(() => {}), 'waiting'],
      [() => void stream.publishWhenReady({}).catch(() => {}), 'refused.queueFull'],
      [
        () => void stream.publishWhenReady({}, { signal: AbortSignal.abort() }).catch(() => {}),
        'refused.aborted',
      ],
      [() => stream.tryPublish({ n: 1n } as never), 'refused.rateLimited'],
    ]
    for (const [act, bucket] of outcomes) {
      const before = flatten(stream.ledger())
      act()
      const after = flatten(stream.ledger())
      const changed = [...after].filter(([name, count]) => count !== before.get(name)).map(([name]) => name)
      const also = bucket === 'accepted' ? ['local'] : []
      expect(changed.sort()).toEqual(['attempts', bucket, ...also].sort())
      expectLaws(stream.ledger())
    }
    stream.close()
    expect(stream.tryPublish({})).toMatchObject({ code: 'STREAM_CLOSED' })
    expect(stream.ledger()).toMatchObject({ attempts: 14, waiting: 0, refused: { closed: 3 } })
    expectLaws(stream.ledger())
  })

  test('counts an asynchronous schema as a schema that refused', () => {
    const asynchronous = {
      '~standard': { version: 1 as const, vendor: 'test', validate: async () => ({ value: {} }) },
    }
    const stream = createHub().stream('s', { schema: asynchronous } as StreamOptions)
    expect(stream.tryPublish({})).toMatchObject({ code: 'INVALID_OPTIONS' })
    expect(stream.ledger()).toMatchObject({ attempts: 1, refused: { schema: 1 } })
  })

  test('counts what is accepted on a hub without a transport as local', () => {
    const stream = createHub().stream('s')
    stream.publish({})
    expect(stream.ledger()).toMatchObject({ accepted: 1, local: 1, inFlight: 0, confirmed: 0 })
  })
})

describe('the ledger of a linked hub', () => {
  test('counts an accepted message as in flight until a barrier confirms it', async () => {
    const { hubs, here } = await linked()
    here.publish({})
    expect(here.ledger()).toMatchObject({ accepted: 1, local: 0, inFlight: 1, confirmed: 0 })
    await tick()
    expect(here.ledger()).toMatchObject({ inFlight: 1 })
    await passUntil(hubs[0].flush())
    expect(here.ledger()).toMatchObject({ accepted: 1, inFlight: 0, confirmed: 1 })
  })

  test('counts what is published while the broker is away as lost offline', async () => {
    const { here, bus } = await linked()
    bus.down()
    here.publish({})
    here.publish({})
    await tick()
    expect(here.ledger()).toMatchObject({ accepted: 2, inFlight: 0, lost: { offline: 2 } })
    expectLaws(here.ledger())
  })

  test('counts what is in flight when the connection goes down as unconfirmed', async () => {
    const { here, bus } = await linked()
    bus.freeze()
    here.publish({})
    await tick()
    bus.down()
    await tick()
    expect(here.ledger()).toMatchObject({ accepted: 1, inFlight: 0, unconfirmed: 1 })
  })

  test('counts a missed barrier as unconfirmed, though the message arrives later', async () => {
    const { here, there, bus } = await linked({ limit: false, maxAgeMs: false })
    bus.freeze()
    here.publish({})
    await pass(2100)
    expect(here.ledger()).toMatchObject({ inFlight: 0, unconfirmed: 1 })
    bus.thaw()
    await pass(100)
    expect(there.ledger().delivered).toBe(1)
    expectLaws(here.ledger())
  })

  test('counts messages in flight at the close of a hub as unconfirmed', async () => {
    const { hubs, here, bus } = await linked()
    bus.freeze()
    here.publish({})
    const total = await passUntil(hubs[0].close())
    expect(total).toMatchObject({ accepted: 1, inFlight: 0, unconfirmed: 1 })
    expect(here.ledger()).toMatchObject({ inFlight: 0, unconfirmed: 1 })
  })

  test('counts a message over the frame limit as lost failed, delivered locally', async () => {
    const { here, there } = await linked({ limit: false }, memoryBus({ maxFrameBytes: 200 }))
    let seen = 0
    here.subscribe(() => void seen++)
    here.publish({ s: 'x'.repeat(300) })
    here.publish({ s: 'small' })
    await tick()
    expect(seen).toBe(2)
    expect(here.ledger()).toMatchObject({ accepted: 2, inFlight: 1, lost: { failed: 1 } })
    expect(there.ledger()).toMatchObject({ delivered: 1, missed: 0 })
    expectLaws(here.ledger())
  })

  test('counts what exceeds maxInFlightBytes as lost congested', async () => {
    const bus = memoryBus()
    const hub = createHub({ transport: bus.transport(), maxInFlightBytes: 200 })
    await hub.ready()
    bus.freeze()
    const stream = hub.stream('s', { limit: false, batch: false })
    for (let nth = 0; nth < 10; nth++) stream.publish({ nth })
    const { inFlight, lost } = stream.ledger()
    expect(inFlight).toBeGreaterThan(0)
    expect(lost.congested).toBe(10 - inFlight)
    expectLaws(stream.ledger())
  })

  test('counts each received message as delivered or in one bucket of dropped', async () => {
    const { hubs, here, there } = await linked({ limit: { ratePerSecond: 0, burst: 8 } })
    there.publish({})
    for (let nth = 0; nth < 8; nth++) here.publish({ nth })
    hubs[0].stream('other').publish({})
    await tick()
    expect(there.ledger()).toMatchObject({ received: 8, delivered: 7, dropped: { rateLimited: 1 } })
    expectLaws(there.ledger())
  })

  test('counts frames of a topic that is not joined at the hub', async () => {
    const transport = memoryBus().transport()
    const hub = createHub({ transport: { ...facade(transport), join: async () => {} } })
    await hub.ready()
    host?.receive('rivulet/default/none' as never, '{"data":{}}')
    expect(hub.ledger()).toMatchObject({ received: 1, dropped: { notJoined: 1 } })
    expectLaws(hub.ledger())
  })

  let host: Parameters<ReturnType<ReturnType<typeof memoryBus>['transport']>['open']>[0] | undefined
  function facade(transport: ReturnType<ReturnType<typeof memoryBus>['transport']>) {
    return {
      name: transport.name,
      capabilities: transport.capabilities,
      open: (given: NonNullable<typeof host>, signal: AbortSignal) => {
        host = given
        return transport.open(given, signal)
      },
      send: transport.send.bind(transport),
      watch: transport.watch.bind(transport),
      leave: transport.leave.bind(transport),
      flush: transport.flush.bind(transport),
      close: transport.close.bind(transport),
    }
  }
})

describe('the ledger of a hub', () => {
  test('is the sum of its streams, closed ones and what still happens to them included', async () => {
    const { hubs, here } = await linked()
    const [hub] = hubs
    const other = hub.stream('other', { limit: { ratePerSecond: 0, burst: 1 } })
    other.publish({})
    other.tryPublish({})
    here.publish({})
    here.close()
    expect(hub.ledger()).toMatchObject({ accepted: 2, inFlight: 2, refused: { rateLimited: 1 } })
    await passUntil(hub.flush())
    here.tryPublish({})
    expect(hub.ledger()).toMatchObject({ accepted: 2, inFlight: 0, confirmed: 2, refused: { closed: 1 } })
    expect(flatten(hub.ledger())).toEqual(sumOfLedgers([here.ledger(), other.ledger()]))
    expectLaws(hub.ledger())
  })

  test('counts subscribers that are there now, iterators and observers included', async () => {
    const hub = createHub()
    const stream = hub.stream('s')
    const subscription = stream.subscribe(() => {})
    const iterator = stream.iterate()
    const observer = stream.messages$.subscribe()
    hub.stream('other').subscribe(() => {})
    expect([stream.ledger().subscribers, hub.ledger().subscribers]).toEqual([3, 4])
    subscription.unsubscribe()
    observer.unsubscribe()
    await iterator.return?.()
    expect([stream.ledger().subscribers, hub.ledger().subscribers]).toEqual([0, 1])
    await hub.close()
    expect(hub.ledger().subscribers).toBe(0)
  })

  test('hands out numbers that do not change afterwards', () => {
    const stream = createHub().stream('s')
    const before = stream.ledger()
    stream.publish({})
    expect(before.attempts).toBe(0)
  })

  test('returns the same read-only object until something is counted', async () => {
    const { hubs, here, there } = await linked()
    const before = [hubs[1].ledger(), there.ledger()]
    for (const counts of [() => hubs[0].ledger(), () => here.ledger()]) {
      const first = counts()
      expect(counts()).toBe(first)
      here.publish({})
      const second = counts()
      expect(second).not.toBe(first)
      await passUntil(hubs[0].flush())
      expect(counts()).not.toBe(second)
    }
    const after = [hubs[1].ledger(), there.ledger()]
    expect(after.map(({ delivered }, index) => [delivered, before[index]?.delivered])).toEqual([
      [2, 0],
      [2, 0],
    ])
    for (const ledger of after) {
      const { refused, lost, dropped } = ledger
      expect([ledger, refused, lost, dropped].every(Object.isFrozen)).toBe(true)
    }
  })
})
