import { createHub } from 'rivulet'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { openScene, stateOf, tick } from '../support/remote-scene.ts'
import { ScriptedTransport } from '../support/scripted-transport.ts'

beforeEach(() => vi.useFakeTimers())
afterEach(() => vi.useRealTimers())

async function openHub() {
  const transport = new ScriptedTransport()
  const hub = createHub({ transport })
  const errors: unknown[] = []
  hub.on('error', (error) => errors.push(error))
  await hub.ready()
  return { transport, hub, errors, stream: hub.stream('scene') }
}

describe('a topic', () => {
  test('is joined only while there is a subscriber', async () => {
    const { transport, stream } = await openHub()
    stream.publish({})
    stream.on('messagePublished', () => {})
    await tick()
    expect(transport.joins).toHaveLength(0)
    const subscription = stream.subscribe(() => {})
    await tick()
    expect(transport.joins.map(({ topic }) => topic)).toEqual(['rivulet/default/scene'])
    expect(transport.left).toEqual([])
    subscription.unsubscribe()
    await tick()
    expect(transport.left).toEqual(['rivulet/default/scene'])
  })

  // RELIABILITY 22
  test('is joined once for ten subscribers, and left when the last of them leaves', async () => {
    const { transport, stream } = await openHub()
    const subscriptions = Array.from({ length: 10 }, () => stream.subscribe(() => {}))
    await tick()
    for (const subscription of subscriptions.slice(1)) subscription.unsubscribe()
    await tick()
    expect([transport.joins.length, transport.left.length]).toEqual([1, 0])
    subscriptions[0]?.unsubscribe()
    subscriptions[0]?.unsubscribe()
    await tick()
    expect([transport.joins.length, transport.left.length]).toEqual([1, 1])
  })

  test('is not joined for a subscription that comes and goes within the tick', async () => {
    const { transport, stream } = await openHub()
    stream.subscribe(() => {}).unsubscribe()
    await tick()
    expect(transport.log).toEqual(['open'])
  })

  test('is not left and joined again when the last subscriber is replaced within a tick', async () => {
    const { transport, stream } = await openHub()
    const first = stream.subscribe(() => {})
    await tick()
    first.unsubscribe()
    const second = stream.subscribe(() => {})
    await expect(stateOf(second.ready)).resolves.toBe('resolved')
    expect([transport.joins.length, transport.left.length]).toEqual([1, 0])
  })

  test('is not left and joined again when the stream closes and opens within a tick', async () => {
    const scene = await openScene()
    scene.stream.close()
    const again = scene.hub.stream('scene')
    const heard: unknown[] = []
    again.subscribe(({ data }) => heard.push(data))
    await tick()
    expect([scene.transport.joins.length, scene.transport.left.length]).toEqual([1, 0])
    scene.receive({ data: { n: 1 } })
    expect([heard, scene.heard]).toEqual([[{ n: 1 }], []])
  })

  test('stays joined for who subscribes between the coming and the going of another', async () => {
    const { transport, stream } = await openHub()
    const heard: unknown[] = []
    const first = stream.subscribe(() => {})
    await tick()
    queueMicrotask(() => stream.subscribe(({ data }) => heard.push(data)))
    first.unsubscribe()
    await tick()
    expect([transport.joins.length, transport.left.length]).toEqual([1, 0])
    transport.host.receive('rivulet/default/scene' as never, '{"data":{"n":1}}')
    expect(heard).toEqual([{ n: 1 }])
  })

  test.each([0, 1, 2, 3, 4, 5, 6, 7, 8])(
    'is not joined for the next subscription when given up %i turns after the answer',
    async (turns) => {
      const { transport, stream } = await openHub()
      transport.answers.join = 'hang'
      const first = stream.subscribe(() => {})
      await tick()
      transport.joins[0]?.resolve()
      for (let turn = 0; turn < turns; turn++) await undefined
      first.unsubscribe()
      await tick()
      const next = stream.subscribe(() => {})
      await tick()
      await expect(stateOf(next.ready)).resolves.toBe('pending')
      transport.joins[1]?.resolve()
      await next.ready
    },
  )

  // RELIABILITY 44
  test('is left without subscribers, ten thousand of them too, and none is repeated', async () => {
    const { transport, hub } = await openHub()
    const streams = Array.from({ length: 10_000 }, (_, nth) => hub.stream(String(nth)))
    const subscriptions = streams.map((stream) => stream.subscribe(() => {}))
    await Promise.all(subscriptions.map(({ ready }) => ready))
    for (const subscription of subscriptions) subscription.unsubscribe()
    await tick()
    expect([transport.joins.length, transport.left.length]).toEqual([10_000, 10_000])
    transport.host.down()
    await vi.advanceTimersByTimeAsync(1_000)
    expect([hub.status, transport.joins.length]).toEqual(['up', 10_000])
  })

  test('is joined by messages$, an iterator and the subject as by a subscriber', async () => {
    const { transport, hub } = await openHub()
    const iterator = hub.stream('a').iterate()
    const observer = hub.stream('b').messages$.subscribe()
    const other = hub.stream('c').subject.subscribe()
    await tick()
    expect(transport.joins.map(({ topic }) => topic)).toEqual(
      ['a', 'b', 'c'].map((name) => `rivulet/default/${name}`),
    )
    await iterator.return?.()
    observer.unsubscribe()
    other.unsubscribe()
    await tick()
    expect(transport.left).toHaveLength(3)
  })

  test('is left when its stream closes', async () => {
    const scene = await openScene()
    scene.stream.close()
    await tick()
    expect(scene.transport.left).toEqual([scene.topic])
  })

  test('that is being joined is not joined a second time', async () => {
    const { transport, stream } = await openHub()
    transport.answers.join = 'hang'
    const first = stream.subscribe(() => {})
    await tick()
    first.unsubscribe()
    const second = stream.subscribe(() => {})
    await tick()
    expect(transport.joins).toHaveLength(1)
    transport.joins[0]?.resolve()
    await expect(stateOf(second.ready)).resolves.toBe('resolved')
  })

  test('that is confirmed at the moment at which it is left stays left', async () => {
    const { transport, stream } = await openHub()
    transport.answers.join = 'hang'
    const subscription = stream.subscribe(() => {})
    await tick()
    transport.joins[0]?.resolve()
    subscription.unsubscribe()
    await tick()
    expect([transport.joins.length, transport.left.length]).toEqual([1, 1])
    const { ready } = stream.subscribe(() => {})
    expect(await stateOf(ready)).toBe('pending')
    transport.joins[1]?.resolve()
    expect(await stateOf(ready)).toBe('resolved')
  })

  test('that is left while it is being joined is given up, and joined anew for the next', async () => {
    const { transport, stream } = await openHub()
    transport.answers.join = 'hang'
    const first = stream.subscribe(() => {})
    const { ready } = first
    await tick()
    first.unsubscribe()
    await tick()
    expect(transport.joins[0]?.signal.aborted).toBe(true)
    expect(transport.left).toHaveLength(1)
    const second = stream.subscribe(() => {})
    await tick()
    expect(transport.joins).toHaveLength(2)
    transport.joins[0]?.resolve() // the one that was given up confirms nothing
    expect(await stateOf(second.ready)).toBe('pending')
    expect(await stateOf(ready)).toMatchObject({ code: 'STREAM_CLOSED' })
    transport.joins[1]?.resolve()
    expect(await stateOf(second.ready)).toBe('resolved')
  })

  test('hands over frames that come before the join is confirmed', async () => {
    const { transport, stream } = await openHub()
    transport.answers.join = 'hang'
    const heard: unknown[] = []
    stream.subscribe(({ data }) => heard.push(data))
    await tick()
    transport.host.receive('rivulet/default/scene' as never, '{"data":{"early":1}}')
    expect(heard).toEqual([{ early: 1 }])
  })
})

describe('subscription.ready', () => {
  // RELIABILITY 19
  test('resolves when the first join is confirmed, not before', async () => {
    const { transport, stream } = await openHub()
    transport.answers.join = 'hang'
    const { ready } = stream.subscribe(() => {})
    expect(await stateOf(ready)).toBe('pending')
    transport.joins[0]?.resolve()
    expect(await stateOf(ready)).toBe('resolved')
    expect(await stateOf(stream.subscribe(() => {}).ready)).toBe('resolved')
  })

  test('waits for the connection', async () => {
    const transport = new ScriptedTransport()
    transport.answers.open = 'hang'
    const hub = createHub({ transport })
    const { ready } = hub.stream('scene').subscribe(() => {})
    expect(await stateOf(ready)).toBe('pending')
    transport.opens[0]?.resolve()
    expect(await stateOf(ready)).toBe('resolved')
  })

  test('made while the connection is gone waits for the next one', async () => {
    const scene = await openScene()
    scene.transport.host.down()
    await tick()
    scene.stream.close()
    const { ready } = scene.hub.stream('scene').subscribe(() => {})
    expect(await stateOf(ready)).toBe('pending')
    expect(scene.transport.joins).toHaveLength(1)
    await vi.advanceTimersByTimeAsync(1_000)
    expect(await stateOf(ready)).toBe('resolved')
  })

  test('rejects on unsubscribe and on close', async () => {
    const { transport, stream } = await openHub()
    transport.answers.join = 'hang'
    const first = stream.subscribe(() => {})
    const second = stream.subscribe(() => {})
    const states = [first.ready, second.ready]
    first.unsubscribe()
    stream.close()
    for (const ready of states) expect(await stateOf(ready)).toMatchObject({ code: 'STREAM_CLOSED' })
    expect(await stateOf(first.ready)).toMatchObject({ code: 'STREAM_CLOSED' })
  })

  // RELIABILITY 75
  test('rejects when the broker refuses the join, with its reason', async () => {
    const { transport, stream, errors } = await openHub()
    transport.answers.join = new Error('not allowed')
    const { ready } = stream.subscribe(() => {})
    expect(await stateOf(ready)).toMatchObject({
      code: 'TRANSPORT_FAILED',
      message: expect.stringMatching(/^The broker refused the join: not allowed\. Trying again\./),
      cause: { message: 'not allowed' },
      stream: 'scene',
    })
    expect(errors).toMatchObject([{ code: 'TRANSPORT_FAILED', cause: { message: 'not allowed' } }])
  })

  test('that is not awaited causes no unhandled rejection', async () => {
    const unhandled: unknown[] = []
    const listen = (reason: unknown) => unhandled.push(reason)
    process.on('unhandledRejection', listen)
    const { transport, stream } = await openHub()
    transport.answers.join = new Error('not allowed')
    void stream.subscribe(() => {}).ready
    await tick()
    vi.useRealTimers()
    await new Promise((resolve) => setImmediate(resolve))
    process.off('unhandledRejection', listen)
    expect(unhandled).toEqual([])
  })
})

describe('a fault that the transport reports', () => {
  // RELIABILITY 74
  test('goes to the stream of its topic, else to the hub', async () => {
    const scene = await openScene()
    const faults: unknown[] = []
    scene.stream.on('error', (error) => faults.push(error))
    const violation = new Error('permission violation')
    const told = { code: 'TRANSPORT_FAILED', hub: 'default', cause: violation }
    scene.transport.host.error(scene.topic, violation)
    expect([faults, scene.errors]).toMatchObject([[{ ...told, stream: 'scene' }], []])
    scene.transport.host.error(undefined, violation)
    scene.transport.host.error('rivulet/default/unknown' as typeof scene.topic, violation)
    expect([faults, scene.errors]).toMatchObject([[{}], [told, { ...told, stream: 'unknown' }]])
    expect(scene.hub.status).toBe('up')
  })
})

test('a topic that is left and wanted again before its join began is joined', async () => {
  const { transport, hub, stream } = await openHub()
  const first = stream.subscribe(() => {})
  const second = Promise.resolve().then(() => stream.subscribe(() => {}))
  first.unsubscribe()
  const { ready } = await second
  await tick()
  expect(await stateOf(ready)).toBe('resolved')
  expect(await stateOf(hub.ready())).toBe('resolved')
  expect(transport.joins).toHaveLength(1)
})
