import { type MemoryBus, type MemoryBusOptions, memoryBus } from '@rivulet/memory'
import type { Topic, Transport } from 'rivulet'
import { testTransport } from 'rivulet/testing'
import { describe, expect, test } from 'vitest'
import { endless } from '../../../test/support/adapters/waits.ts'
import { expectBalance } from './balance.ts'
import { busBackend } from './bus-backend.ts'
import { type Client, clientOf, connect, send, TOPIC, tick } from './client.ts'

const contracts: readonly [what: string, options: MemoryBusOptions][] = [
  ['echoes', { echoes: true }],
  ['a fixed delay', { delayMs: [2, 2] }],
  ['a range of delays', { delayMs: [0, 5] }],
  ['reordering', { reorder: 0.2 }],
  ['everything reordered and delayed', { reorder: 1, delayMs: [0, 3], seed: 7 }],
  ['a frame limit', { maxFrameBytes: 8192 }],
]
for (const [what, options] of contracts) {
  describe(`a bus with ${what}`, () => {
    testTransport({ test, create: async () => busBackend(options) })
  })
}

describe('a bus', () => {
  test('delivers later than send, in one go within the tick', async () => {
    const bus = memoryBus()
    const [a, b] = [await connect(bus), await connect(bus, TOPIC)]
    send(a, '1', '2')
    expect(b.host.texts()).toEqual([])
    await Promise.resolve()
    expect(b.host.texts()).toEqual(['1', '2'])
  })

  test('copies the frame at send, a view of a Node buffer too', async () => {
    const bus = memoryBus()
    const [a, b] = [await connect(bus), await connect(bus, TOPIC)]
    for (const frame of [new Uint8Array([65]), Buffer.from('A')]) {
      a.transport.send(TOPIC, frame)
      frame[0] = 66
      await tick()
    }
    bus.freeze()
    const held = Buffer.from('A')
    a.transport.send(TOPIC, held)
    held[0] = 66
    bus.thaw()
    await tick()
    expect(b.host.texts()).toEqual(['A', 'A', 'A'])
  })

  test('delivers a hundred thousand frames of one tick in order', async () => {
    const bus = memoryBus()
    const [a, b] = [await connect(bus), await connect(bus, TOPIC)]
    const sent = Array.from({ length: 100_000 }, (_, nth) => String(nth))
    send(a, ...sent)
    while (bus.counts().inFlight > 0) await tick()
    expect(b.host.texts()).toEqual(sent)
  })

  test('refuses a frame over the limit and counts nothing for it', async () => {
    const bus = memoryBus({ maxFrameBytes: 3 })
    const [a] = [await connect(bus), await connect(bus, TOPIC)]
    expect(a.transport.send(TOPIC, '\u00e9\u00e9')).toBe('offline')
    expect(a.transport.send(TOPIC, '\u00e9x')).toBe('sent')
    expect(bus.counts().sent).toBe(1)
  })

  test('refuses to open a transport twice, and keeps the first', async () => {
    const bus = memoryBus()
    const [a, b] = [await connect(bus), await connect(bus, TOPIC)]
    await expect(b.transport.open(b.host, endless)).rejects.toMatchObject({
      message: expect.stringMatching(/is open or opening; close it/),
    })
    send(a, 'heard')
    await tick()
    expect(b.host.texts()).toEqual(['heard'])
  })

  test('refuses an open that an outage overtakes', async () => {
    const bus = memoryBus()
    const a = clientOf(bus.transport())
    const opening = a.transport.open(a.host, endless)
    bus.down(new Error('killed'))
    await expect(opening).rejects.toMatchObject({ message: expect.stringContaining('killed') })
    expect(a.host.downs).toEqual([])
  })

  test('reports to a host that throws in receive its own error', async () => {
    const bus = memoryBus()
    const a = await connect(bus)
    const b = clientOf(bus.transport())
    b.host.onReceive = () => {
      throw new Error('hostile')
    }
    await b.transport.open(b.host, endless)
    await b.transport.join(TOPIC, endless)
    send(a, 'x')
    await tick()
    expect(b.host.errors).toEqual([{ topic: TOPIC, cause: new Error('hostile') }])
  })

  test('counts per receiver and in all, and lists every frame once', async () => {
    const bus = memoryBus({ loss: 0.3, duplicate: 0.3, reorder: 0.3 })
    const [a, b, c] = [await connect(bus), await connect(bus, TOPIC), await connect(bus, TOPIC)]
    for (let nth = 0; nth < 1000; nth += 1) send(a, String(nth))
    while (bus.counts().inFlight > 0) await tick()
    expectBalance(bus.counts())
    const [ofB, ofC] = [bus.counts(b.transport), bus.counts(c.transport)]
    expect(ofB.sent).toBe(1000)
    expect(ofB.delivered).toBe(b.host.texts().length)
    expect(ofB.lost).toBe(1000 - new Set(b.host.texts()).size)
    expect(ofB.lost + ofC.lost).toBe(bus.counts().lost)
    expect(bus.counts(a.transport).sent).toBe(0)
  })
})

describe('a host that acts on the bus while it receives', () => {
  const acts: readonly [what: string, act: (bus: MemoryBus, late: Client) => void, counts: object][] = [
    [
      'leaves the topic of another one',
      (_bus, { transport }) => transport.leave(TOPIC),
      { delivered: 2, left: 2 },
    ],
    ['closes another one', (_bus, { transport }) => void transport.close(endless), { delivered: 2, left: 2 }],
    ['brings the bus down', (bus) => bus.down(), { delivered: 1, cut: 3 }],
  ]
  test.each(acts)('%s', async (_what, act, counts) => {
    const bus = memoryBus()
    const [a, first] = [await connect(bus), clientOf(bus.transport())]
    const late: Client[] = []
    first.host.onReceive = () => {
      for (const client of late) act(bus, client)
    }
    await first.transport.open(first.host, endless)
    await first.transport.join(TOPIC, endless)
    late.push(await connect(bus, TOPIC))
    send(a, '1', '2')
    await tick()
    expect(late[0]?.host.texts()).toEqual([])
    expect(bus.counts()).toMatchObject({ sent: 4, ...counts })
    expectBalance(bus.counts())
  })

  test('freezes it', async () => {
    const bus = memoryBus()
    const [a, b] = [await connect(bus), clientOf(bus.transport())]
    b.host.onReceive = () => bus.freeze()
    await b.transport.open(b.host, endless)
    await b.transport.join(TOPIC, endless)
    send(a, '1', '2')
    await tick()
    expect([b.host.frames.length, bus.counts().inFlight]).toEqual([1, 1])
    bus.thaw()
    await tick()
    expect([b.host.frames.length, bus.counts().inFlight]).toEqual([2, 0])
  })
})

describe('a partition', () => {
  test('loses frames from one side to the other, and no others', async () => {
    const bus = memoryBus()
    const [a, b, c] = [await connect(bus, TOPIC), await connect(bus, TOPIC), await connect(bus, TOPIC)]
    bus.partition(a.transport, b.transport)
    send(a, 'from a')
    send(b, 'from b')
    send(c, 'from c')
    await tick()
    expect([a.host.texts(), b.host.texts(), c.host.texts()]).toEqual([
      ['from c'],
      ['from c'],
      ['from a', 'from b'],
    ])
    expect(bus.counts(b.transport).partitioned).toBe(1)
    expect([...a.host.downs, ...b.host.downs]).toEqual([])
    bus.heal()
    send(a, 'healed')
    await tick()
    expect(b.host.texts()).toEqual(['from c', 'healed'])
    expectBalance(bus.counts())
  })

  test('parts groups, and adds to those there are', async () => {
    const bus = memoryBus()
    const clients = [await connect(bus, TOPIC), await connect(bus, TOPIC), await connect(bus, TOPIC)]
    const [a, b, c] = clients.map(({ transport }) => transport) as [Transport, Transport, Transport]
    bus.partition([a], [b, c])
    bus.partition(b, c)
    for (const [nth, client] of clients.entries()) send(client, String(nth))
    await tick()
    expect(clients.map(({ host }) => host.texts())).toEqual([[], [], []])
    expect(bus.counts().partitioned).toBe(6)
  })

  test('spares frames that were in flight before', async () => {
    const bus = memoryBus({ delayMs: [5, 5] })
    const [a, b] = [await connect(bus), await connect(bus, TOPIC)]
    send(a, 'before')
    bus.partition(a.transport, b.transport)
    while (bus.counts().inFlight > 0) await tick()
    expect(b.host.texts()).toEqual(['before'])
  })

  test('refuses invalid sides', () => {
    const bus = memoryBus()
    const [a, b] = [bus.transport(), bus.transport()]
    expect(() => bus.partition(a, memoryBus().transport())).toThrow(/not made by this bus/)
    expect(() => bus.partition([a, b], [b])).toThrow(/on both sides/)
    expect(() => bus.partition([], b)).toThrow(/has no transport/)
    expect(() => bus.partition(a, [])).toThrow(/has no transport/)
  })
})

describe('a freeze', () => {
  test('pauses frames, also those in flight, and thaw delivers them in order', async () => {
    const bus = memoryBus()
    const [a, b] = [await connect(bus), await connect(bus, TOPIC)]
    send(a, '1')
    bus.freeze()
    expect(a.transport.send(TOPIC, '2')).toBe('sent')
    await tick()
    expect(b.host.texts()).toEqual([])
    bus.thaw()
    send(a, '3')
    await tick()
    expect(b.host.texts()).toEqual(['1', '2', '3'])
    expectBalance(bus.counts())
  })

  test('pauses delayed frames past their time', async () => {
    const bus = memoryBus({ delayMs: [1, 1] })
    const [a, b] = [await connect(bus), await connect(bus, TOPIC)]
    send(a, '1')
    bus.freeze()
    await new Promise((resolve) => setTimeout(resolve, 10))
    expect(b.host.texts()).toEqual([])
    bus.thaw()
    while (bus.counts().inFlight > 0) await tick()
    expect(b.host.texts()).toEqual(['1'])
  })

  test('pauses opening, joins and flushes until thaw', async () => {
    const bus = memoryBus()
    const a = await connect(bus)
    const b = clientOf(bus.transport())
    const done: string[] = []
    bus.freeze()
    const joined = a.transport.join(TOPIC, endless).then(() => done.push('join'))
    const flushed = a.transport.flush(endless).then(() => done.push('flush'))
    const opened = b.transport.open(b.host, endless).then(() => done.push('open'))
    expect(b.transport.send(TOPIC, 'x')).toBe('offline')
    await tick()
    expect(done).toEqual([])
    bus.thaw()
    await Promise.all([joined, flushed, opened])
    send(b, 'heard')
    await tick()
    expect(a.host.texts()).toEqual(['heard'])
  })

  test('routes a paused frame by the joins at thaw, in call order', async () => {
    const bus = memoryBus()
    const [a, b] = [await connect(bus), await connect(bus)]
    bus.freeze()
    send(a, 'before the join')
    const joined = b.transport.join(TOPIC, endless)
    send(a, 'after the join')
    bus.thaw()
    await joined
    await tick()
    expect(b.host.texts()).toEqual(['after the join'])
  })

  test('cancels a paused call when its signal aborts', async () => {
    const bus = memoryBus()
    const a = await connect(bus)
    const b = clientOf(bus.transport())
    bus.freeze()
    const giveUp = new AbortController()
    const waiting = [
      a.transport.join(TOPIC, giveUp.signal),
      a.transport.flush(giveUp.signal),
      b.transport.open(b.host, giveUp.signal),
    ]
    const settled = Promise.allSettled(waiting)
    giveUp.abort('enough')
    const outcomes = await settled
    expect(outcomes).toEqual(Array(3).fill({ status: 'rejected', reason: 'enough' }))
    bus.thaw()
    send(await connect(bus), 'unheard')
    await tick()
    expect(a.host.texts()).toEqual([])
    expect(b.transport.send(TOPIC, 'x')).toBe('offline')
  })

  test('lets leave act at once', async () => {
    const bus = memoryBus()
    const [a, b] = [await connect(bus), await connect(bus, TOPIC)]
    send(a, 'on its way')
    bus.freeze()
    b.transport.leave(TOPIC)
    const other = 'rivulet/default/b' as Topic
    const joining = b.transport.join(other, endless)
    b.transport.leave(other)
    await expect(joining).rejects.toMatchObject({
      message: expect.stringMatching(/ended before it was confirmed/),
    })
    bus.thaw()
    await tick()
    expect(b.host.texts()).toEqual([])
    expect(bus.counts().left).toBe(1)
  })

  test('keeps the later join of a topic that was left and joined again', async () => {
    const bus = memoryBus()
    const [a, b] = [await connect(bus), await connect(bus)]
    bus.freeze()
    const left = b.transport.join(TOPIC, endless)
    b.transport.leave(TOPIC)
    const joined = b.transport.join(TOPIC, endless)
    await expect(left).rejects.toMatchObject({
      message: expect.stringMatching(/ended before it was confirmed/),
    })
    bus.thaw()
    await joined
    send(a, 'heard')
    await tick()
    expect(b.host.texts()).toEqual(['heard'])
  })

  test('lets close end at once when there is nothing to hand over', async () => {
    const bus = memoryBus()
    const a = await connect(bus)
    bus.freeze()
    await a.transport.close(endless)
    await expect(a.transport.flush(endless)).rejects.toMatchObject({
      message: expect.stringMatching(/not open/),
    })
  })

  test('makes close wait, and delivers frames sent before', async () => {
    const bus = memoryBus()
    const [a, b] = [await connect(bus), await connect(bus, TOPIC)]
    bus.freeze()
    send(a, 'held')
    let closed = 0
    const closing = [a.transport.close(endless), a.transport.close(endless)].map((close) =>
      close.then(() => closed++),
    )
    expect(a.transport.send(TOPIC, 'x')).toBe('offline')
    await tick()
    expect(closed).toBe(0)
    bus.thaw()
    await Promise.all(closing)
    await tick()
    expect(b.host.texts()).toEqual(['held'])
  })

  test('ends the wait of close when its signal aborts, and counts cut frames', async () => {
    const bus = memoryBus()
    const [a, b] = [await connect(bus), await connect(bus, TOPIC)]
    bus.freeze()
    send(a, 'held')
    const giveUp = new AbortController()
    const closing = a.transport.close(giveUp.signal)
    giveUp.abort()
    await closing
    await a.transport.close(endless)
    bus.thaw()
    await tick()
    expect(b.host.texts()).toEqual([])
    expect(bus.counts()).toMatchObject({ sent: 1, cut: 1, delivered: 0 })
  })

  test('lets a transport open again after its close ran out of time', async () => {
    const bus = memoryBus()
    const [a, b] = [await connect(bus), await connect(bus, TOPIC)]
    bus.freeze()
    send(a, 'held')
    await a.transport.close(AbortSignal.abort())
    const opened = a.transport.open(a.host, endless)
    bus.thaw()
    await opened
    send(a, 'new')
    await tick()
    expect(b.host.texts()).toEqual(['new'])
  })
})

describe('an outage', () => {
  test('cuts frames in flight and reports the cause to every open transport', async () => {
    const bus = memoryBus()
    const [a, b, closed] = [await connect(bus), await connect(bus, TOPIC), await connect(bus)]
    await closed.transport.close(endless)
    const cause = new Error('killed')
    send(a, 'on its way')
    bus.down(cause)
    expect([a.host.downs, b.host.downs, closed.host.downs]).toEqual([[cause], [cause], []])
    await expect(a.transport.open(a.host, endless)).rejects.toBe(cause)
    bus.up()
    await a.transport.open(a.host, endless)
    await b.transport.open(b.host, endless)
    await b.transport.join(TOPIC, endless)
    send(a, 'after')
    await tick()
    expect(b.host.texts()).toEqual(['after'])
    expect(bus.counts()).toMatchObject({ sent: 2, cut: 1, delivered: 1 })
  })

  test('drops all paused calls during a freeze', async () => {
    const bus = memoryBus()
    const [a, b] = [await connect(bus), await connect(bus, TOPIC)]
    const c = clientOf(bus.transport())
    bus.freeze()
    send(a, 'held')
    const flushing = a.transport.flush(endless)
    const opening = c.transport.open(c.host, endless)
    const outcomes = Promise.allSettled([flushing, opening])
    const cause = new Error('killed')
    bus.down(cause)
    expect(await outcomes).toEqual(Array(2).fill({ status: 'rejected', reason: cause }))
    bus.thaw()
    await tick()
    expect([b.host.texts(), c.host.downs]).toEqual([[], []])
    expect(bus.counts().cut).toBe(1)
  })

  test('lets a host open again from inside down, and survives one that throws there', async () => {
    const bus = memoryBus()
    const [hostile, a] = [clientOf(bus.transport()), clientOf(bus.transport())]
    hostile.host.down = () => {
      throw new Error('hostile')
    }
    await hostile.transport.open(hostile.host, endless)
    const reopened: Promise<void>[] = []
    a.host.down = () => {
      bus.up()
      reopened.push(a.transport.open(a.host, endless))
    }
    await a.transport.open(a.host, endless)
    bus.down()
    await Promise.all(reopened)
    expect(a.transport.send(TOPIC, 'x')).toBe('sent')
    expect(hostile.host.errors).toEqual([{ topic: undefined, cause: new Error('hostile') }])
  })
})
