import { createHub, type Hub, RivuletError, type Topic } from 'rivulet'
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import { heapUsed } from '../support/heap.ts'
import { openScene, stateOf, tick } from '../support/remote-scene.ts'
import { ScriptedTransport } from '../support/scripted-transport.ts'

beforeEach(() => vi.useFakeTimers())
afterEach(() => vi.useRealTimers())

const topicOf = (name: string) => `rivulet/default/${name}` as Topic

async function openHub() {
  const transport = new ScriptedTransport()
  const hub = createHub({ transport })
  const errors: unknown[] = []
  hub.on('error', (error) => errors.push(error))
  await hub.ready()
  return { transport, hub, errors, stream: hub.stream('scene') }
}

/** Advances until there is one more join, and tells how long that took. */
async function untilNextJoin(transport: ScriptedTransport): Promise<number> {
  const startMs = performance.now()
  const { length } = transport.joins
  while (transport.joins.length === length && performance.now() - startMs < 10_000) {
    await vi.advanceTimersByTimeAsync(1)
  }
  return performance.now() - startMs
}

/** Subscribes to streams by name. */
function subscribe(hub: Hub, ...names: string[]) {
  return names.map((name) => hub.stream(name).subscribe(() => {}))
}

describe('a join that is refused', () => {
  test('goes to the stream’s error, is left, and is tried again', async () => {
    const { transport, stream, errors } = await openHub()
    const streamErrors: unknown[] = []
    stream.on('error', (error) => streamErrors.push(error))
    transport.answers.join = new Error('not allowed')
    stream.subscribe(() => {})
    await tick()
    expect(streamErrors).toMatchObject([{ code: 'TRANSPORT_FAILED', cause: { message: 'not allowed' } }])
    expect(errors).toEqual([])
    expect(transport.left).toHaveLength(1)
    transport.answers.join = 'resolve'
    await vi.advanceTimersByTimeAsync(200)
    expect(transport.joins).toHaveLength(2)
    expect(await stateOf(stream.subscribe(() => {}).ready)).toBe('resolved')
    await vi.advanceTimersByTimeAsync(60_000)
    expect(transport.joins).toHaveLength(2)
  })

  test('rejects ready, and the ready that is read next resolves when a retry succeeds', async () => {
    const { transport, stream } = await openHub()
    transport.answers.join = new Error('not allowed')
    const subscription = stream.subscribe(() => {})
    const first = subscription.ready
    expect(await stateOf(first)).toMatchObject({ code: 'TRANSPORT_FAILED' })
    const second = subscription.ready
    expect(second).not.toBe(first)
    expect(await stateOf(second)).toBe('pending')
    transport.answers.join = 'resolve'
    await vi.advanceTimersByTimeAsync(200)
    expect(await stateOf(second)).toBe('resolved')
    expect(subscription.ready).toBe(second)
  })

  test('keeps ready waiting, and blames no topic, when the transport has no connection', async () => {
    const { transport, stream, errors } = await openHub()
    transport.answers.join = new RivuletError('TRANSPORT_UNAVAILABLE', 'The connection is not open.')
    const { ready } = stream.subscribe(() => {})
    expect(await stateOf(ready)).toBe('pending')
    const message = expect.stringMatching(
      /^The join is not confirmed: The connection is not open\. Trying again\./,
    )
    expect(errors).toMatchObject([{ code: 'TRANSPORT_UNAVAILABLE', message }])
    transport.answers.join = 'resolve'
    await vi.advanceTimersByTimeAsync(200)
    expect(await stateOf(ready)).toBe('resolved')
  })

  test('is retried with jitter, each wait longer, up to 1 s, after a minute up to 5 s', async () => {
    const { transport, stream } = await openHub()
    transport.answers.join = new Error('not allowed')
    stream.subscribe(() => {})
    await tick()
    const startMs = performance.now()
    const late: number[] = []
    for (let nth = 0; nth < 150; nth++) {
      const longestMs = performance.now() - startMs < 60_000 ? 1_000 : 5_000
      const mostMs = Math.min(longestMs, 200 * 2 ** nth)
      const waitMs = await untilNextJoin(transport)
      expect(waitMs).toBeGreaterThanOrEqual(mostMs / 2)
      expect(waitMs).toBeLessThanOrEqual(mostMs + 1)
      if (mostMs === 5_000) late.push(waitMs)
    }
    expect(new Set(late).size).toBeGreaterThan(5)
  })

  test('is told once while the reason stays the same, and again when it changes', async () => {
    const { transport, stream, errors } = await openHub()
    transport.answers.join = new Error('not allowed')
    stream.subscribe(() => {})
    await vi.advanceTimersByTimeAsync(300_000)
    expect(transport.joins.length).toBeGreaterThan(50)
    expect(errors).toHaveLength(1)
    transport.answers.join = new Error('too many')
    await vi.advanceTimersByTimeAsync(60_000)
    expect(errors).toMatchObject([{}, { cause: { message: 'too many' } }])
  })

  test('takes no frames: they count at the hub', async () => {
    const { transport, hub, stream } = await openHub()
    transport.answers.join = new Error('not allowed')
    const listener = vi.fn()
    stream.subscribe(listener)
    await tick()
    transport.host.receive(topicOf('scene'), '{"data":{}}')
    expect(listener).not.toHaveBeenCalled()
    expect(hub.ledger().dropped.notJoined).toBe(1)
  })

  test('is not retried without a subscriber or a connection', async () => {
    const { transport, hub } = await openHub()
    transport.answers.join = new Error('not allowed')
    const [subscription] = subscribe(hub, 'scene', 'other')
    await tick()
    subscription?.unsubscribe()
    transport.answers.open = 'hang'
    transport.host.down()
    await vi.advanceTimersByTimeAsync(4_000)
    expect(transport.joins).toHaveLength(2)
  })
})

test('a join overdue after 5 s is an error and is retried; ready goes on waiting', async () => {
  const { transport, stream, errors } = await openHub()
  transport.answers.join = 'hang'
  const { ready } = stream.subscribe(() => {})
  await vi.advanceTimersByTimeAsync(4_999)
  expect(errors).toEqual([])
  await vi.advanceTimersByTimeAsync(1)
  expect(errors).toMatchObject([{ code: 'TRANSPORT_UNAVAILABLE', stream: 'scene' }])
  expect(transport.joins[0]?.signal.aborted).toBe(true)
  expect(await stateOf(ready)).toBe('pending')
  transport.answers.join = 'resolve'
  await vi.advanceTimersByTimeAsync(1_000)
  expect(await stateOf(ready)).toBe('resolved')
})

test('a join refused as its only subscriber leaves causes no unhandled rejection', async () => {
  const unhandled = vi.fn()
  process.on('unhandledRejection', unhandled)
  onTestFinished(() => void process.off('unhandledRejection', unhandled))
  for (const isRefusedFirst of [true, false]) {
    const { transport, stream, errors } = await openHub()
    transport.answers.join = 'hang'
    const subscription = stream.subscribe(() => {})
    await tick()
    if (isRefusedFirst) transport.joins[0]?.reject(new Error('not allowed'))
    subscription.unsubscribe()
    transport.joins[0]?.reject(new Error('not allowed'))
    await vi.advanceTimersByTimeAsync(10_000)
    expect(transport.joins).toHaveLength(1)
    expect(transport.left).toHaveLength(1)
    expect(errors).toEqual([])
  }
  expect(unhandled).not.toHaveBeenCalled()
})

test('a leave that throws is reported, at a refusal and after the last subscriber', async () => {
  const unhandled = vi.fn()
  process.on('unhandledRejection', unhandled)
  const { transport, hub, errors } = await openHub()
  transport.leave = () => {
    throw new Error('cannot leave')
  }
  const [fine] = subscribe(hub, 'fine')
  await tick()
  transport.answers.join = new Error('not allowed')
  subscribe(hub, 'refused')
  await tick()
  fine?.unsubscribe()
  await tick()
  vi.useRealTimers()
  await new Promise((resolve) => setImmediate(resolve))
  process.off('unhandledRejection', unhandled)
  expect(unhandled).not.toHaveBeenCalled()
  const threw = { code: 'TRANSPORT_FAILED', cause: { message: 'cannot leave' } }
  expect(errors).toMatchObject([
    { ...threw, stream: 'refused' },
    { cause: { message: 'not allowed' }, stream: 'refused' },
    { ...threw, stream: 'fine' },
  ])
})

describe('many joins', () => {
  test('five thousand on a slow broker, one after the other, all get through', async () => {
    const { transport, hub, errors } = await openHub()
    const due: (() => void)[] = []
    let most = 0
    transport.join = () => {
      const joined = new Promise<void>((resolve) => due.push(resolve))
      most = Math.max(most, due.length)
      return joined
    }
    const answering = setInterval(() => due.shift()?.(), 5)
    let resolved = 0
    for (let nth = 0; nth < 5_000; nth++) {
      const [subscription] = subscribe(hub, `s${nth}`)
      subscription?.ready.then(() => resolved++)
    }
    await vi.advanceTimersByTimeAsync(5_000 * 5 + 100)
    clearInterval(answering)
    expect([resolved, errors]).toEqual([5_000, []])
    expect(most).toBeLessThan(1_000)
  })

  test('are not held up by one that is never answered', async () => {
    const { transport, hub } = await openHub()
    const join = transport.join.bind(transport)
    transport.join = (topic, signal) =>
      topic === topicOf('deaf') ? new Promise(() => {}) : join(topic, signal)
    const names = Array.from({ length: 2_000 }, (_, nth) => `s${nth}`)
    const [deaf, ...others] = subscribe(hub, 'deaf', ...names)
    expect(await stateOf(Promise.all(others.map(({ ready }) => ready)))).toBe('resolved')
    expect(await stateOf(deaf?.ready as Promise<void>)).toBe('pending')
  })
})

describe('a join that the broker ends', () => {
  test('is made again after the first back-off, is told, and renews ready', async () => {
    const scene = await openScene()
    const subscription = scene.stream.subscribe(() => {})
    const first = subscription.ready
    expect(await stateOf(first)).toBe('resolved')
    scene.transport.host.left(scene.topic, new Error('revoked'))
    expect(scene.errors).toMatchObject([{ stream: 'scene', cause: { message: 'revoked' } }])
    const renewed = subscription.ready
    expect(renewed).not.toBe(first)
    expect(await stateOf(renewed)).toBe('pending')
    expect(scene.transport.joins).toHaveLength(1)
    await vi.advanceTimersByTimeAsync(200)
    expect(scene.transport.joins).toHaveLength(2)
    expect(await stateOf(renewed)).toBe('resolved')
    expect(await stateOf(first)).toBe('resolved')
    scene.receive({ data: { back: true } })
    expect(scene.data).toEqual([{ back: true }])
  })

  test('each time it was confirmed is backed off like any other', async () => {
    const scene = await openScene()
    const { transport } = scene
    transport.answers.join = new Error('revoked')
    transport.host.left(scene.topic, new Error('revoked'))
    const waits = [
      await untilNextJoin(transport),
      await untilNextJoin(transport),
      await untilNextJoin(transport),
    ]
    expect(waits[0]).toBeLessThanOrEqual(201)
    expect(waits[2]).toBeGreaterThanOrEqual(400)
  })

  test('of a topic that is not joined, or on an old host, means nothing', async () => {
    const scene = await openScene()
    const [old] = scene.transport.hosts
    scene.transport.host.left(topicOf('unknown'), new Error('revoked'))
    scene.transport.host.down()
    await vi.advanceTimersByTimeAsync(1_000)
    expect(scene.transport.joins).toHaveLength(2)
    old?.left(scene.topic, new Error('revoked'))
    await vi.advanceTimersByTimeAsync(1_000)
    expect(scene.transport.joins).toHaveLength(2)
    expect(scene.errors).toHaveLength(1)
  })
})

describe('a connection that is lost again', () => {
  // RELIABILITY 17
  test('has every topic joined anew, once each, and is up before they are', async () => {
    const { transport, hub } = await openHub()
    const names = [
      'resubscribe',
      '__proto__',
      'constructor',
      ...Array.from({ length: 39 }, (_, nth) => `s${nth}`),
    ]
    subscribe(hub, ...names)
    await tick()
    for (let drop = 1; drop <= 8; drop++) {
      transport.joins.length = 0
      transport.answers.join = 'hang'
      transport.host.down()
      await vi.advanceTimersByTimeAsync(1_000)
      expect(hub.status).toBe('up')
      expect(new Set(transport.joins.map(({ topic }) => topic)).size).toBe(names.length)
      expect(transport.joins).toHaveLength(names.length)
      const ready = hub.ready()
      expect(await stateOf(ready)).toBe('pending')
      for (const { resolve } of transport.joins) resolve()
      expect(await stateOf(ready)).toBe('resolved')
      transport.answers.join = 'resolve'
      await vi.advanceTimersByTimeAsync(6_000)
      expect(transport.joins).toHaveLength(names.length)
    }
  })

  // RELIABILITY 18
  test('under a join makes that again on the next one', async () => {
    const { transport, stream, errors } = await openHub()
    transport.answers.join = 'hang'
    const { ready } = stream.subscribe(() => {})
    await tick()
    transport.host.down(new Error('gone'))
    await tick()
    expect(transport.joins[0]?.signal.aborted).toBe(true)
    transport.answers.join = 'resolve'
    await vi.advanceTimersByTimeAsync(1_000)
    expect(transport.joins).toHaveLength(2)
    expect(await stateOf(ready)).toBe('resolved')
    transport.joins[0]?.reject(new Error('late'))
    await tick()
    expect(errors).toHaveLength(1)
  })

  test('repeats a join that was confirmed in the tick in which the connection dropped', async () => {
    for (const isConfirmedFirst of [true, false]) {
      const { transport, stream } = await openHub()
      transport.answers.join = 'hang'
      const { ready } = stream.subscribe(() => {})
      await tick()
      if (isConfirmedFirst) transport.joins[0]?.resolve()
      transport.host.down(new Error('gone'))
      transport.joins[0]?.resolve()
      await vi.advanceTimersByTimeAsync(1_000)
      expect(transport.joins).toHaveLength(2)
      transport.joins[1]?.resolve()
      expect(await stateOf(ready)).toBe('resolved')
    }
  })

  test('is up, and its other joins made, though one is refused and one unanswered', async () => {
    const { transport, hub, errors } = await openHub()
    const heard: unknown[] = []
    subscribe(hub, 'refused', 'overdue')
    hub.stream('fine').subscribe(({ data }) => heard.push(data))
    await tick()
    transport.join = (topic) => {
      if (topic === topicOf('refused')) return Promise.reject(new Error('not allowed'))
      return topic === topicOf('fine') ? Promise.resolve() : new Promise(() => {})
    }
    transport.host.down()
    await vi.advanceTimersByTimeAsync(200)
    expect(hub.status).toBe('up')
    transport.host.receive(topicOf('fine'), '{"data":{"n":1}}')
    expect(heard).toEqual([{ n: 1 }])
    const ready = hub.ready()
    expect(await stateOf(ready)).toBe('pending')
    await vi.advanceTimersByTimeAsync(5_000)
    expect(await stateOf(ready)).toBe('resolved')
    const told = (errors as RivuletError[]).map(({ code, stream }) => [code, stream])
    expect(told).toContainEqual(['TRANSPORT_UNAVAILABLE', 'overdue'])
    expect(told).toContainEqual(['TRANSPORT_FAILED', 'refused'])
  })

  test('does not repeat joins without a subscriber', async () => {
    const { transport, stream } = await openHub()
    const subscription = stream.subscribe(() => {})
    await tick()
    transport.host.down()
    await tick()
    subscription.unsubscribe()
    await vi.advanceTimersByTimeAsync(1_000)
    expect(transport.opens).toHaveLength(2)
    expect(transport.joins).toHaveLength(1)
  })
})

describe('a join on which the connection is lost each time', () => {
  /** A broker that ends the connection as soon as the topic `poison` is joined. */
  async function openPoisoned(names: string[]) {
    const { transport, hub, errors } = await openHub()
    const join = transport.join.bind(transport)
    let poisonings = 0
    transport.join = (topic, signal) => {
      if (topic !== topicOf('poison')) return join(topic, signal)
      poisonings++
      queueMicrotask(() => transport.host.down(new Error('violation')))
      return new Promise(() => {})
    }
    const subscriptions = subscribe(hub, ...names)
    const of = (name: string) => subscriptions[names.indexOf(name)] as (typeof subscriptions)[number]
    return { transport, hub, errors, of, poisonings: () => poisonings }
  }

  test.each([
    ['first', ['poison', 'a', 'b', 'c']],
    ['last', ['a', 'b', 'c', 'poison']],
    ['alone', ['poison']],
  ])('is found and backed off alone: the others are joined and stay up: %s', async (_, names) => {
    const { hub, of, poisonings, errors } = await openPoisoned(names)
    const { ready } = of('poison')
    let downs = 0
    await vi.advanceTimersByTimeAsync(5_000)
    expect(hub.status).toBe('up')
    for (const name of names) if (name !== 'poison') expect(await stateOf(of(name).ready)).toBe('resolved')
    expect(await stateOf(ready)).toMatchObject({ code: 'TRANSPORT_FAILED', stream: 'poison' })
    expect(errors).toContainEqual(expect.objectContaining({ stream: 'poison' }))
    hub.on('status', (status) => {
      if (status === 'down') downs++
    })
    await vi.advanceTimersByTimeAsync(600_000)
    expect(downs).toBeLessThanOrEqual(8)
    expect(poisonings()).toBeGreaterThan(4)
    await vi.advanceTimersByTimeAsync(2_000)
    expect(hub.status).toBe('up')
  })

  test('is made once the broker takes it', async () => {
    const { transport, hub, of } = await openPoisoned(['poison', 'a'])
    await vi.advanceTimersByTimeAsync(5_000)
    transport.join = () => Promise.resolve()
    await vi.advanceTimersByTimeAsync(30_000)
    expect([hub.status, await stateOf(of('poison').ready)]).toEqual(['up', 'resolved'])
  })

  test('does not hold up hub.ready while it is backed off, on a later connection either', async () => {
    const { transport, hub } = await openPoisoned(['poison', 'a'])
    await vi.advanceTimersByTimeAsync(30_000)
    expect(await stateOf(hub.ready())).toBe('resolved')
    transport.host.down(new Error('something else'))
    await vi.advanceTimersByTimeAsync(1_000)
    expect(hub.status).toBe('up')
    const ready = hub.ready()
    await vi.advanceTimersByTimeAsync(2_100)
    expect(await stateOf(ready)).toBe('resolved')
  })
})

test('a join that was under way whenever the broker itself went away is not to blame', async () => {
  const { transport, hub, errors, stream } = await openHub()
  transport.answers.join = 'hang'
  stream.subscribe(() => {})
  for (let outage = 0; outage < 5; outage++) {
    await vi.advanceTimersByTimeAsync(1_000)
    transport.answers.open = new Error('away')
    transport.host.down(new Error('cable'))
    await vi.advanceTimersByTimeAsync(3_000)
    transport.answers.open = 'resolve'
    await vi.advanceTimersByTimeAsync(1_000)
    expect(hub.status).toBe('up')
  }
  expect(errors).not.toContainEqual(expect.objectContaining({ stream: 'scene' }))
  transport.answers.join = 'resolve'
  transport.host.down(new Error('cable'))
  await vi.advanceTimersByTimeAsync(1_000)
  expect(await stateOf(stream.subscribe(() => {}).ready)).toBe('resolved')
})

test('subscriptions that end during an outage cost no memory, and no join afterwards', async () => {
  const { transport, hub } = await openHub()
  transport.answers.open = new Error('away')
  transport.host.down()
  await tick()
  const comeAndGo = async (times: number) => {
    for (let nth = 0; nth < times; nth++) {
      hub
        .stream('scene')
        .subscribe(() => {})
        .unsubscribe()
      await Promise.resolve()
    }
  }
  await comeAndGo(1_000)
  const before = heapUsed()
  await comeAndGo(50_000)
  expect(heapUsed() - before).toBeLessThan(2 * 1024 * 1024)
  transport.answers.open = 'resolve'
  await vi.advanceTimersByTimeAsync(1_000)
  expect([hub.status, transport.joins.length]).toEqual(['up', 0])
})

describe('what is published right after ready', () => {
  test('on a new hub is not lost: ready never resolves before the status is up', async () => {
    const transport = new ScriptedTransport()
    transport.answers.open = 'hang'
    const hub = createHub({ transport })
    const stream = hub.stream('scene')
    const subscription = stream.subscribe(() => {})
    const published = subscription.ready.then(() => {
      const { status } = hub
      stream.publish({ n: 1 })
      return status
    })
    expect(await stateOf(subscription.ready)).toBe('pending')
    transport.opens[0]?.resolve()
    expect(await published).toBe('up')
    await hub.flush()
    expect(stream.ledger()).toMatchObject({ confirmed: 1, lost: { offline: 0 } })
  })

  test('of the hub is heard by every stream that was subscribed by then', async () => {
    const transport = new ScriptedTransport()
    transport.answers.join = 'hang'
    const hub = createHub({ transport })
    subscribe(hub, 'a', 'b')
    const ready = hub.ready()
    expect(await stateOf(ready)).toBe('pending')
    expect(hub.status).toBe('up')
    subscribe(hub, 'later')
    await tick()
    transport.joins[0]?.resolve()
    expect(await stateOf(ready)).toBe('pending')
    transport.joins[1]?.resolve()
    expect(await stateOf(ready)).toBe('resolved')
  })

  test('waits at most 5 s for an unanswered join, which delays neither up nor the others', async () => {
    const transport = new ScriptedTransport()
    transport.answers.join = 'hang'
    const hub = createHub({ transport })
    hub.on('error', () => {})
    const [, answered] = subscribe(hub, 'deaf', 'answered')
    const ready = hub.ready()
    await tick()
    expect(hub.status).toBe('up')
    transport.joins[1]?.resolve()
    expect(await stateOf(answered?.ready as Promise<void>)).toBe('resolved')
    await vi.advanceTimersByTimeAsync(4_999)
    expect(await stateOf(ready)).toBe('pending')
    await vi.advanceTimersByTimeAsync(1)
    expect(await stateOf(ready)).toBe('resolved')
  })
})
