import { createHub, openHub, type Topic } from 'rivulet'
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import { heapUsed } from '../support/heap.ts'
import { away, link, refused, untilNextOpen } from '../support/linked-hub.ts'
import { expectLawful, openScene, stateOf, tick } from '../support/remote-scene.ts'
import { ScriptedTransport } from '../support/scripted-transport.ts'

beforeEach(() => vi.useFakeTimers())
afterEach(() => vi.useRealTimers())

const TOPIC = 'rivulet/default/scene' as Topic

describe('a hub', () => {
  test('without a transport is local, ready and flushed at once', async () => {
    const hub = createHub()
    expect(hub.status).toBe('local')
    await hub.ready()
    await hub.flush()
    await hub.close()
    expect(hub.status).toBe('closed')
  })

  test('has a transport of its own: another one gets it only once it is closed', async () => {
    const { hub, transport } = link()
    await hub.ready()
    const refusal = expect.objectContaining({
      code: 'INVALID_OPTIONS',
      message: 'The transport belongs to another hub; make one for each.',
    })
    expect(() => createHub({ transport, name: 'other' })).toThrow(refusal)
    expect([hub.status, transport.closes.length]).toEqual(['up', 0])
    await hub.close()
    const next = createHub({ transport })
    await next.ready()
    await next.close()
  })

  test('ends no sentence twice when it says why it is away', async () => {
    const { errors } = link({ open: new Error('No route.') })
    await tick()
    expect(errors).toMatchObject([
      { message: 'No connection over scripted: No route. Trying again. (hub "default")', hub: 'default' },
    ])
  })

  test('starts opening when it is created, and is up once the transport is open', async () => {
    const { hub, transport, statuses } = link({ open: 'hang' })
    expect(transport.opens).toHaveLength(1)
    const ready = hub.ready()
    expect(await stateOf(ready)).toBe('pending')
    transport.opens[0]?.resolve()
    expect(await stateOf(ready)).toBe('resolved')
    await hub.ready()
    expect(statuses).toEqual(['opening', 'up'])
  })

  test('reads the capabilities again after each open', async () => {
    const { hub, transport } = link()
    transport.capabilities = { ...transport.capabilities, maxFrameBytes: () => 10 }
    const stream = hub.stream('scene')
    await hub.ready()
    stream.publish({})
    await tick()
    expect(stream.ledger().lost.failed).toBe(1)
    transport.capabilities = { ...transport.capabilities, maxFrameBytes: () => 1_000 }
    transport.host.down()
    await vi.advanceTimersByTimeAsync(1_000)
    stream.publish({})
    await tick()
    expect(stream.ledger()).toMatchObject({ confirmed: 1, lost: { failed: 1 } })
  })
})

describe('at most once, and now or never', () => {
  // RELIABILITY 1, 2
  test('delivers here and counts as offline a message published while the broker is away', async () => {
    const linked = link({ open: 'hang' })
    const { hub, transport } = linked
    const stream = hub.stream('scene')
    const heard: unknown[] = []
    const lost: unknown[] = []
    stream.subscribe(({ data }) => heard.push(data))
    stream.on('lost', (payload) => lost.push(payload))
    stream.publish({ n: 1 })
    await tick()
    transport.opens[0]?.resolve()
    await hub.ready()
    transport.host.down()
    await tick()
    stream.publish({ n: 2 })
    stream.publish({ n: 3 })
    await tick()
    await untilNextOpen(linked, 5_000)
    transport.opens[1]?.resolve()
    await hub.ready()
    await vi.advanceTimersByTimeAsync(60_000)
    expect(heard).toEqual([{ n: 1 }, { n: 2 }, { n: 3 }])
    expect(transport.sent).toEqual([])
    expect(stream.ledger()).toMatchObject({ accepted: 3, confirmed: 0, lost: { offline: 3 } })
    expect(lost).toMatchObject([
      { reason: 'offline', count: 1 },
      { reason: 'offline', count: 2 },
    ])
  })

  test('counts messages handed over as the connection ends as unconfirmed, not resent', async () => {
    const scene = await openScene()
    scene.stream.publish({ n: 1 })
    await Promise.resolve()
    scene.transport.host.down()
    await vi.advanceTimersByTimeAsync(60_000)
    expect(scene.hub.status).toBe('up')
    expect(scene.transport.sent).toHaveLength(1)
    expect(scene.ledger).toMatchObject({ accepted: 1, unconfirmed: 1, confirmed: 0 })
  })
})

describe('reconnecting', () => {
  // RELIABILITY 6, 9
  test('goes on for ever, with jitter, in waits up to 1 s, after a minute up to 5 s', async () => {
    const linked = link({ open: away })
    const ready = linked.hub.ready()
    await tick()
    const startMs = performance.now()
    const mostMs = (nth: number) => {
      const longestMs = performance.now() - startMs < 60_000 ? 1_000 : 5_000
      return Math.min(longestMs, 200 * 2 ** nth)
    }
    const late: number[] = []
    for (let nth = 0; nth < 150; nth++) {
      const bound = mostMs(nth)
      const waitMs = await untilNextOpen(linked, 6_000)
      expect(waitMs).toBeGreaterThanOrEqual(bound / 2)
      expect(waitMs).toBeLessThanOrEqual(bound + 1)
      if (bound === 5_000) late.push(waitMs)
    }
    expect(new Set(late).size).toBeGreaterThan(5)
    expect(linked.statuses).toEqual(['opening', 'down'])
    expect(await stateOf(ready)).toBe('pending')
    linked.transport.answers.open = 'resolve'
    await vi.advanceTimersByTimeAsync(5_000)
    expect(await stateOf(ready)).toBe('resolved')
  })

  test('starts anew with short waits after a connection that lived, and only then', async () => {
    const linked = link({ open: away })
    while (performance.now() < 80_000) await untilNextOpen(linked, 6_000)
    linked.transport.answers.open = 'resolve'
    await untilNextOpen(linked, 6_000)
    await vi.advanceTimersByTimeAsync(5_000)
    linked.transport.host.down()
    expect(await untilNextOpen(linked, 6_000)).toBeGreaterThan(2_000)
    await vi.advanceTimersByTimeAsync(5_001)
    linked.transport.host.down()
    expect(await untilNextOpen(linked, 6_000)).toBeLessThanOrEqual(201)
  })

  test('reports attempts that fail for one cause as one error, a new cause as another', async () => {
    const linked = link()
    await linked.hub.ready()
    linked.transport.answers.open = away
    linked.transport.host.down(new Error('reset'))
    await vi.advanceTimersByTimeAsync(300_000)
    expect(linked.transport.opens.length).toBeGreaterThan(50)
    const reset = { cause: { message: 'reset' } }
    expect(linked.errors).toMatchObject([reset, { cause: away }])
    linked.transport.answers.open = new Error('no route')
    await vi.advanceTimersByTimeAsync(300_000)
    expect(linked.errors).toMatchObject([reset, { cause: away }, { cause: { message: 'no route' } }])
    linked.transport.answers.open = 'resolve'
    await vi.advanceTimersByTimeAsync(5_000)
    linked.transport.host.down(new Error('reset'))
    await tick()
    expect(linked.errors).toHaveLength(4)
  })

  test('reports in status how many attempts to connect have failed since it was up', async () => {
    const linked = link({ open: away })
    const told: unknown[] = []
    linked.hub.on('status', (status, { failedAttempts }) => told.push([status, failedAttempts]))
    await vi.advanceTimersByTimeAsync(3_000)
    const failed = linked.transport.opens.length
    linked.transport.answers.open = 'resolve'
    await vi.advanceTimersByTimeAsync(1_000)
    linked.transport.host.down()
    await vi.advanceTimersByTimeAsync(1_000)
    expect(failed).toBeGreaterThan(2)
    expect(told[0]).toEqual(['down', 1])
    expect(told.slice(-2)).toEqual([
      ['down', 0],
      ['up', 0],
    ])
  })

  test('closes the old connection first, without waiting, and opens with a fresh host', async () => {
    const linked = link()
    await linked.hub.ready()
    const { transport } = linked
    transport.log.length = 0
    transport.answers.close = 'hang'
    transport.host.down()
    await untilNextOpen(linked, 5_000)
    expect(transport.log).toEqual(['close', 'open'])
    expect(transport.closes[0]?.signal.aborted).toBe(true)
    expect(transport.hosts[1]).not.toBe(transport.hosts[0])
  })

  test('reports each loss of the connection with its cause', async () => {
    const { hub, transport, errors, statuses } = link()
    await hub.ready()
    const cause = new Error('ECONNRESET')
    transport.host.down(cause)
    transport.host.down(new Error('again'))
    await tick()
    expect(errors).toMatchObject([{ code: 'TRANSPORT_UNAVAILABLE', cause }])
    await vi.advanceTimersByTimeAsync(1_000)
    transport.host.down()
    await tick()
    expect(errors).toMatchObject([{}, { code: 'TRANSPORT_UNAVAILABLE' }])
    expect((errors[1] as Error).message).toContain('the connection ended')
    expect(statuses).toEqual(['opening', 'up', 'down', 'up', 'down'])
  })

  test('also happens when the connection ends while it is being opened', async () => {
    const { hub, transport, errors, statuses } = link({ open: 'hang' })
    transport.host.down()
    transport.opens[0]?.resolve()
    await tick()
    expect(statuses).toEqual(['opening', 'down'])
    expect(errors).toMatchObject([{ cause: { message: 'the connection ended' } }])
    transport.answers.open = 'resolve'
    await vi.advanceTimersByTimeAsync(1_000)
    expect(hub.status).toBe('up')
    transport.answers.open = 'hang'
    transport.host.down()
    await vi.advanceTimersByTimeAsync(1_000)
    const cause = new Error('reset')
    transport.host.down(cause) // and the opening never settles
    await tick()
    expect(errors.at(-1)).toMatchObject({ cause })
  })

  test('ignores calls on the host of an earlier open', async () => {
    const scene = await openScene()
    const [old] = scene.transport.hosts as [typeof scene.transport.host]
    old.down()
    await tick()
    old.receive(scene.topic, '{"data":{"n":1}}')
    await vi.advanceTimersByTimeAsync(1_000)
    expect(scene.hub.status).toBe('up')
    old.receive(scene.topic, '{"data":{"n":2}}')
    old.error(scene.topic, new Error('old'))
    old.error(undefined, new Error('old'))
    old.down(new Error('old'))
    await tick()
    expect(scene.hub.status).toBe('up')
    expect(scene.heard).toEqual([])
    expect(scene.errors).toHaveLength(1)
    expect(scene.hub.ledger().received).toBe(0)
    scene.receive({ data: { n: 3 } })
    expect(scene.data).toEqual([{ n: 3 }])
  })

  test('ignores calls on the host of an open that failed', async () => {
    const linked = link({ open: away })
    const heard: unknown[] = []
    linked.hub.stream('scene').subscribe(({ data }) => heard.push(data))
    await tick()
    linked.transport.answers.open = 'resolve'
    await untilNextOpen(linked, 1_000)
    await linked.hub.ready()
    const errors = linked.errors.length
    const [failed] = linked.transport.hosts
    failed?.receive(TOPIC, '{"data":{"n":1}}')
    failed?.error(TOPIC, new Error('late'))
    failed?.down(new Error('late'))
    await tick()
    expect([heard, linked.errors.length, linked.hub.status]).toEqual([[], errors, 'up'])
    expect(linked.hub.ledger().received).toBe(0)
  })

  test('three hundred times leaves no listener, no timer and no join behind', async () => {
    const listeners = new Set<unknown>()
    const { addEventListener, removeEventListener } = EventTarget.prototype
    const watch = vi.spyOn(AbortSignal.prototype, 'addEventListener').mockImplementation(function (
      this: AbortSignal,
      ...args: unknown[]
    ) {
      listeners.add(args[1])
      Reflect.apply(addEventListener, this, args)
    })
    const unwatch = vi.spyOn(AbortSignal.prototype, 'removeEventListener').mockImplementation(function (
      this: AbortSignal,
      ...args: unknown[]
    ) {
      listeners.delete(args[1])
      Reflect.apply(removeEventListener, this, args)
    })
    const scene = await openScene()
    await vi.advanceTimersByTimeAsync(10_000)
    const before = { listeners: listeners.size, timers: vi.getTimerCount() }
    for (let count = 0; count < 300; count++) {
      scene.stream.publish({})
      await vi.advanceTimersByTimeAsync(30)
      if (count % 3 === 0) scene.transport.answers.open = away
      scene.transport.host.down()
      await vi.advanceTimersByTimeAsync(6_000)
      scene.transport.answers.open = 'resolve'
      await vi.advanceTimersByTimeAsync(6_000)
      expect(scene.hub.status).toBe('up')
    }
    expect({ listeners: listeners.size, timers: vi.getTimerCount() }).toEqual(before)
    expect(scene.transport.joins).toHaveLength(301)
    expectLawful(scene.ledger)
    await scene.hub.close()
    expect(listeners.size).toBe(0)
    expect(vi.getTimerCount()).toBe(0)
    watch.mockRestore()
    unwatch.mockRestore()
  })
})

describe('a fatal refusal', () => {
  // RELIABILITY 10
  test('rejects ready at once while it stands, and is retried slowly', async () => {
    const linked = link({ open: refused() })
    const { hub, transport, errors } = linked
    const early = hub.ready()
    expect(await stateOf(early)).toMatchObject({
      code: 'TRANSPORT_FAILED',
      message: 'bad password (hub "default")',
    })
    expect(await stateOf(hub.ready())).toMatchObject({ code: 'TRANSPORT_FAILED' })
    expect(errors).toMatchObject([{ code: 'TRANSPORT_FAILED' }])
    expect(await untilNextOpen(linked, 60_000)).toBeGreaterThanOrEqual(30_000)
    transport.answers.open = 'hang'
    await untilNextOpen(linked, 60_000)
    expect(await stateOf(hub.ready())).toMatchObject({ code: 'TRANSPORT_FAILED' })
    transport.opens.at(-1)?.resolve()
    await tick()
    expect(hub.status).toBe('up')
    await hub.ready()
  })

  // RELIABILITY 11
  test('while connected stands too, until another attempt finds an outage or comes up', async () => {
    const linked = link()
    await linked.hub.ready()
    linked.transport.answers.open = away
    linked.transport.host.down(refused())
    await tick()
    expect(await stateOf(linked.hub.ready())).toMatchObject({ code: 'TRANSPORT_FAILED' })
    expect(await untilNextOpen(linked, 60_000)).toBeGreaterThanOrEqual(30_000)
    await tick()
    expect(await stateOf(linked.hub.ready())).toBe('pending')
  })
})

describe('ready', () => {
  test('rejects with the reason of its signal, and keeps nothing of it', async () => {
    const { hub, transport } = link({ open: 'hang' })
    const abort = new AbortController()
    const ready = hub.ready({ signal: abort.signal })
    abort.abort('impatient')
    await expect(ready).rejects.toBe('impatient')
    await expect(hub.ready({ signal: abort.signal })).rejects.toBe('impatient')
    transport.opens[0]?.resolve()
    await hub.ready()
  })

  test('waits on when the connection is lost with a join under way that is given up then', async () => {
    const { hub, transport } = link({ join: 'hang' })
    const subscription = hub.stream('s').subscribe(() => {})
    await tick()
    const ready = hub.ready()
    expect(await stateOf(ready)).toBe('pending')
    transport.answers.open = 'hang'
    transport.host.down()
    await tick()
    subscription.unsubscribe()
    expect(await stateOf(ready)).toBe('pending')
    await vi.advanceTimersByTimeAsync(1_000)
    expect(await stateOf(ready)).toBe('pending')
    transport.opens[1]?.resolve()
    expect(await stateOf(ready)).toBe('resolved')
  })

  test('rejects when the hub is closed', async () => {
    const { hub } = link({ open: 'hang' })
    const ready = hub.ready()
    void hub.close()
    const closed = { code: 'HUB_CLOSED', message: 'The hub was closed. (hub "default")', hub: 'default' }
    expect(await stateOf(ready)).toMatchObject(closed)
    expect(await stateOf(hub.ready())).toMatchObject({ code: 'HUB_CLOSED' })
  })

  test('rejects when the hub is closed while a join is under way, which ends with that', async () => {
    const { hub } = link({ join: 'hang' })
    hub.stream('s').subscribe(() => {})
    const ready = hub.ready()
    expect(await stateOf(ready)).toBe('pending')
    void hub.close()
    expect(await stateOf(ready)).toMatchObject({ code: 'HUB_CLOSED' })
  })

  test('rejects when the connection is lost during a join that is refused afterwards', async () => {
    const linked = link({ join: 'hang' })
    linked.hub.stream('s').subscribe(() => {})
    const ready = linked.hub.ready()
    expect(await stateOf(ready)).toBe('pending')
    linked.transport.answers.open = refused()
    linked.transport.host.down(away)
    await untilNextOpen(linked, 60_000)
    expect(await stateOf(ready)).toMatchObject({ code: 'TRANSPORT_FAILED' })
  })

  test('warns of no leak when many wait for one join', async () => {
    const warnings: unknown[] = []
    const warn = (warning: unknown) => warnings.push(warning)
    process.on('warning', warn)
    onTestFinished(() => void process.off('warning', warn))
    const { hub, transport } = link({ join: 'hang' })
    hub.stream('s').subscribe(() => {})
    const all = Promise.all(Array.from({ length: 20 }, () => hub.ready()))
    await tick()
    transport.joins[0]?.resolve()
    await all
    await new Promise((resolve) => process.nextTick(resolve))
    expect(warnings).toEqual([])
  })

  test('keeps nothing of those who gave up while there is no connection', async () => {
    const { hub } = link({ open: 'hang' })
    const giveUp = async (count: number) => {
      for (let nth = 0; nth < count; nth++) {
        const abort = new AbortController()
        const ready = hub.ready({ signal: abort.signal })
        abort.abort()
        await ready.catch(() => {})
      }
    }
    await giveUp(1_000)
    const before = heapUsed()
    await giveUp(10_000)
    expect(heapUsed() - before).toBeLessThan(2 * 1024 * 1024)
  })
})

describe('openHub', () => {
  test('resolves when the transport is up', async () => {
    const transport = new ScriptedTransport()
    const hub = await openHub({ transport })
    expect(hub.status).toBe('up')
  })

  // RELIABILITY 6, 8
  test('closes the hub and rejects with the last cause past its time', async () => {
    const transport = new ScriptedTransport()
    transport.answers.open = away
    const opening = openHub({ transport }, { timeoutMs: 3_000 })
    const state = stateOf(opening)
    await state
    await vi.advanceTimersByTimeAsync(3_000)
    expect(await stateOf(opening)).toMatchObject({
      code: 'TRANSPORT_UNAVAILABLE',
      cause: { cause: away },
    })
    await vi.advanceTimersByTimeAsync(60_000)
    expect(transport.log.at(-1)).toBe('close')
    expect(vi.getTimerCount()).toBe(0)
  })

  // RELIABILITY 10
  test('rejects at once when the broker refuses for good', async () => {
    const transport = new ScriptedTransport()
    transport.answers.open = refused()
    expect(await stateOf(openHub({ transport }))).toMatchObject({ code: 'TRANSPORT_FAILED' })
    await vi.advanceTimersByTimeAsync(60_000)
    expect(transport.opens).toHaveLength(1)
  })
})

describe('errors without a listener', () => {
  // RELIABILITY 76
  test('are logged once for each kind, and never thrown', async () => {
    const log = vi.spyOn(console, 'error').mockImplementation(() => {})
    const transport = new ScriptedTransport()
    transport.answers.open = away
    const hub = createHub({ transport })
    await vi.advanceTimersByTimeAsync(60_000)
    expect(log).toHaveBeenCalledTimes(1)
    await hub.close()
    log.mockRestore()
  })
})

test('a listener of error that closes the hub gets no status after closed', async () => {
  const { hub, transport, statuses } = link()
  await hub.ready()
  hub.on('error', () => void hub.close())
  transport.host.down(new Error('cable'))
  await vi.advanceTimersByTimeAsync(5_000)
  expect(statuses.slice(-2)).toEqual(['up', 'closed'])
})
