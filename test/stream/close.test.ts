import { memoryBus } from '@rivulet/memory'
import { createHub, type Hub, type Stream } from 'rivulet'
import { describe, expect, test, vi } from 'vitest'
import { passUntil, stopTime, tick } from '../support/fake-time.ts'
import { expectLaws, flatten, sumOfLedgers } from '../support/ledger-laws.ts'
import { openScene, wire } from '../support/remote-scene.ts'
import { ScriptedTransport } from '../support/scripted-transport.ts'

stopTime()

const ends = ['close', 'remove'] as const

async function linked(): Promise<[Hub, Hub]> {
  const bus = memoryBus()
  const hubs = [1, 2].map(() => createHub({ transport: bus.transport() })) as [Hub, Hub]
  await Promise.all(hubs.map((hub) => hub.ready()))
  return hubs
}

describe.each(ends)('after %s returns', (end) => {
  test('no listener is called any more, later ones of a running fan-out included', () => {
    const stream = createHub().stream('s')
    const calls: string[] = []
    stream.on('messagePublished', () => calls.push('event'))
    stream.subscribe(() => {
      calls.push('first')
      stream[end]()
    })
    stream.subscribe(() => calls.push('second'))
    stream.messages$.subscribe(() => calls.push('observer'))
    stream.publish({})
    expect(calls).toEqual(['first'])
    expect(stream.ledger()).toMatchObject({ accepted: 1, subscribers: 0, listenerErrors: 0 })
  })

  test('messages in the queue of a running fan-out are delivered to no subscriber', () => {
    const stream = createHub().stream<{ n: number }>('s')
    const seen: number[] = []
    stream.subscribe(({ data }) => {
      seen.push(data.n)
      if (data.n > 1) return
      stream.publish({ n: 2 })
      stream[end]()
    })
    stream.publish({ n: 1 })
    expect(seen).toEqual([1])
    expectLaws(stream.ledger())
  })

  test('closes subscriptions; the ready of each rejects without an unhandled rejection', async () => {
    const [hub] = await linked()
    const stream = hub.stream('s')
    const subscription = stream.subscribe(() => {})
    const { ready } = subscription
    stream[end]()
    expect(subscription.closed).toBe(true)
    await expect(ready).rejects.toMatchObject({ code: 'STREAM_CLOSED' })
    await expect(subscription.ready).rejects.toMatchObject({ code: 'STREAM_CLOSED' })
  })

  test('accepted messages still go to the transport, also those in the queue', async () => {
    const [here, there] = await linked()
    const heard: unknown[] = []
    await there.stream('s').subscribe((message) => heard.push(message.data)).ready
    const stream = here.stream<{ n: number }>('s')
    stream.subscribe(({ data }) => {
      if (data.n !== 1) return
      stream.publish({ n: 2 })
      stream.publish({ n: 3 })
      stream[end]()
    })
    stream.publish({ n: 0 })
    stream.publish({ n: 1 })
    expect(stream.closed).toBe(true)
    await tick()
    expect(heard).toEqual([{ n: 0 }, { n: 1 }, { n: 2 }, { n: 3 }])
    expect(there.stream('s').ledger()).toMatchObject({ missed: 0 })
    await passUntil(here.flush())
    expect(stream.ledger()).toMatchObject({ accepted: 4, confirmed: 4, inFlight: 0 })
    expect(here.ledger()).toMatchObject({ accepted: 4, confirmed: 4, inFlight: 0 })
  })

  test('does nothing again: the next stream lives, and nothing is counted twice', () => {
    const hub = createHub()
    const removed = vi.fn()
    hub.on('streamRemoved', removed)
    const first = hub.stream('s')
    first.publish({})
    first[end]()
    const second = hub.stream('s')
    for (const again of ends) first[again]()
    expect(hub.stream('s')).toBe(second)
    expect(second.closed).toBe(false)
    expect(hub.ledger()).toMatchObject({ attempts: 1, accepted: 1 })
    expect(removed).toHaveBeenCalledTimes(end === 'remove' ? 1 : 0)
  })

  test('the name opens a new stream with a new origin and a fresh bucket', () => {
    const hub = createHub()
    const first = hub.stream('s', { limit: { ratePerSecond: 0, burst: 1 } })
    const { sid } = first.publish({})
    first[end]()
    const second = hub.stream('s', { limit: { ratePerSecond: 0, burst: 1 } })
    expect(second).not.toBe(first)
    expect(second.publish({}).sid.slice(0, 18)).not.toBe(sid.slice(0, 18))
    expect(first.closed).toBe(true)
  })
})

describe('the end of a stream', () => {
  test('lets the code that it calls open the next stream of the name, which lives', async () => {
    const hub = createHub()
    const opened = new Map<string, Stream>()
    const open = (where: string) => opened.set(where, hub.stream('s'))
    const first = hub.stream('s', { limit: { ratePerSecond: 1, burst: 1 } })
    first.publish({})
    void first.publishWhenReady({}).catch(() => {})
    first.on('refused', () => open('refused'))
    first.on('removed', () => open('removed'))
    hub.on('streamRemoved', () => open('streamRemoved'))
    first.messages$.subscribe({ complete: () => open('complete') })
    first.remove()
    expect([...opened.keys()].sort()).toEqual(['complete', 'refused', 'removed', 'streamRemoved'])
    expect(new Set(opened.values()).size).toBe(1)
    expect(opened.get('removed')).toBe(hub.stream('s'))
    expect(hub.stream('s').tryPublish({}).ok).toBe(true)
    expectLaws(hub.ledger())
    expect(hub.ledger()).toMatchObject({ attempts: 3, accepted: 2, refused: { closed: 1 } })
  })

  test('keeps the totals of the hub true at every moment, also inside callbacks', async () => {
    const hub = createHub()
    const stream = hub.stream('s', { limit: { ratePerSecond: 1, burst: 1 } })
    const seen: unknown[] = []
    const look = () => {
      expectLaws(hub.ledger())
      expect(flatten(hub.ledger())).toEqual(sumOfLedgers([stream.ledger()]))
      seen.push(hub.ledger().attempts)
    }
    stream.on('error', (error) => seen.push(error))
    stream.publish({})
    for (let nth = 0; nth < 3; nth++) void stream.publishWhenReady({}).catch(() => {})
    stream.on('refused', look)
    stream.on('removed', look)
    hub.on('streamRemoved', look)
    stream.messages$.subscribe({ complete: look })
    stream.remove()
    expect(seen).toEqual(Array(6).fill(4))
  })

  test("by its hub gives HUB_CLOSED, and the hub's totals are the sum of all streams", async () => {
    const hub = createHub()
    const [a, b] = [hub.stream('a'), hub.stream('b')]
    for (let nth = 0; nth < 40; nth++) {
      a.tryPublish({})
      b.tryPublish({})
    }
    a.close()
    const again = hub.stream('a')
    again.publish({})
    const total = await hub.close()
    for (const stream of [b, again]) expect(stream.tryPublish({})).toMatchObject({ code: 'HUB_CLOSED' })
    a.tryPublish({})
    expect(total).toMatchObject({ attempts: 81, accepted: 61 })
    expect(flatten(hub.ledger())).toEqual(sumOfLedgers([a.ledger(), b.ledger(), again.ledger()]))
  })

  test('inside an abort, a key function or a schema harms nothing', async () => {
    const hub = createHub()
    hub.on('error', () => {})
    const stream = hub.stream('s')
    const controller = new AbortController()
    stream.subscribe(() => {}, { signal: controller.signal })
    controller.signal.addEventListener('abort', () => stream.close())
    const iterator = stream.iterate({ overflow: 'latest', key: () => controller.abort() })
    stream.publish({})
    expect(stream.closed).toBe(true)
    expect((await iterator.next()).done).toBe(true)
    expect(iterator.dropped).toBe(1)
    expectLaws(hub.ledger())
  })

  test('by remove ends the stream in the other processes after all that was published', async () => {
    const [here, there] = await linked()
    const log: unknown[] = []
    const other = there.stream('s')
    there.on('streamRemoved', (removal) => log.push(removal))
    other.on('removed', (removal) => log.push(removal))
    await other.subscribe((message) => log.push(message.data)).ready
    const stream = here.stream<{ n: number }>('s')
    stream.publish({ n: 1 })
    stream.remove()
    await tick()
    const removal = { reason: 'removed', isLocal: false }
    expect(log).toEqual([{ n: 1 }, { ...removal, name: 's' }, removal])
    expect(other.closed).toBe(true)
    expectLaws(there.ledger())
  })

  test('by another process is not told on: only who removed it tells', async () => {
    const scene = await openScene()
    scene.receive({ removed: true, sid: wire(1).sid, t: 0 })
    await tick()
    expect([scene.stream.closed, scene.transport.frames]).toEqual([true, []])
  })

  test('by remove inside a fan-out ends it elsewhere after what waited in the queue', async () => {
    const [here, there] = await linked()
    const log: unknown[] = []
    const other = there.stream('s')
    other.on('removed', ({ reason }) => log.push(reason))
    await other.subscribe((message) => log.push(message.data)).ready
    const stream = here.stream<{ n: number }>('s')
    stream.subscribe(() => {
      if (stream.closed) return
      stream.publish({ n: 2 })
      stream.remove()
    })
    stream.publish({ n: 1 })
    await tick()
    expect(log).toEqual([{ n: 1 }, { n: 2 }, 'removed'])
  })

  test('by remove elsewhere ends nothing on a hub that does not accept removal', async () => {
    const bus = memoryBus()
    const here = createHub({ transport: bus.transport() })
    const there = createHub({ transport: bus.transport(), acceptRemoval: false })
    await Promise.all([here.ready(), there.ready()])
    const other = there.stream('s')
    await other.subscribe(() => {}).ready
    here.stream('s').remove()
    await tick()
    expect(other.closed).toBe(false)
  })

  test('by close ends nothing in the other processes', async () => {
    const [here, there] = await linked()
    const other = there.stream('s')
    await other.subscribe(() => {}).ready
    here.stream('s').publish({})
    here.stream('s').close()
    await tick()
    expect(other.closed).toBe(false)
  })

  test('by remove sends a frame with its own number and time; close and expiry do not', async () => {
    const transport = new ScriptedTransport()
    const hub = createHub({ transport })
    await hub.ready()
    hub.stream('closed').close()
    hub.stream('expired', { ttlSeconds: 5 })
    vi.advanceTimersByTime(5000)
    const stream = hub.stream('removed')
    const { sid } = stream.publish({ n: 1 })
    vi.advanceTimersByTime(7)
    stream.remove()
    await tick()
    expect(transport.frames).toEqual([
      { data: { n: 1 }, sid, t: 0 },
      { removed: true, sid: `${sid.slice(0, -1)}2`, t: 7 },
    ])
  })

  test('by remove of a stream without messages is delivered elsewhere, once', async () => {
    const [here, there] = await linked()
    const removed = vi.fn()
    const other = there.stream('s')
    other.on('removed', removed)
    await other.subscribe(() => {}).ready
    const quiet = here.stream('s')
    quiet.remove()
    quiet.remove()
    await tick()
    expect(removed).toHaveBeenCalledTimes(1)
    expect(here.ledger().attempts).toBe(0)
  })

  // RELIABILITY 44.
  test('of ten thousand streams leaves nothing of them with the hub', async () => {
    const hub = createHub()
    for (let nth = 0; nth < 10_000; nth++) {
      const stream = hub.stream(`s${nth}`)
      stream.subscribe(() => {})
      stream.publish({})
      stream.close()
    }
    expect([...hub.streams()]).toEqual([])
    expect(hub.ledger()).toMatchObject({ accepted: 10_000, subscribers: 0 })
  })
})

test('remove frees the name before listeners of lost: they open another stream', async () => {
  const scene = await openScene()
  scene.transport.sending = 'offline'
  const opened: unknown[] = []
  scene.stream.on('lost', () => opened.push(scene.hub.stream('scene')))
  scene.stream.publish({})
  scene.stream.remove()
  await tick()
  expect(opened).toHaveLength(1)
  expect(opened[0]).not.toBe(scene.stream)
  expect(scene.hub.stream('scene')).toBe(opened[0])
})
