import { createHub, type StreamOptions, type TimeoutOptions, type Topic } from 'rivulet'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { expectLawful, openScene, type Scene, stateOf, tick, wire } from '../support/remote-scene.ts'
import { ScriptedTransport } from '../support/scripted-transport.ts'

beforeEach(() => vi.useFakeTimers())
afterEach(() => vi.useRealTimers())

const free: StreamOptions = { limit: false, batch: false }

async function openHanging(options: StreamOptions = free, maxInFlightBytes?: number): Promise<Scene> {
  const scene = await openScene(options, maxInFlightBytes === undefined ? {} : { maxInFlightBytes })
  scene.transport.answers.flush = 'hang'
  return scene
}

describe('what was sent', () => {
  test('is in flight until a barrier is answered, and confirmed then', async () => {
    const scene = await openHanging()
    scene.stream.publish({})
    expect(scene.ledger).toMatchObject({ accepted: 1, inFlight: 1, confirmed: 0 })
    await tick()
    expect(scene.transport.flushes).toHaveLength(1)
    expect(scene.ledger).toMatchObject({ inFlight: 1, confirmed: 0 })
    scene.transport.flushes[0]?.resolve()
    await tick()
    expect(scene.ledger).toMatchObject({ inFlight: 0, confirmed: 1, unconfirmed: 0 })
  })

  test('is confirmed as soon when the clock steps back', async () => {
    let backMs = 0
    const scene = await openScene(free, { nowMs: () => performance.now() - backMs })
    scene.stream.publish({})
    await tick()
    backMs = 3_600_000
    scene.stream.publish({})
    await vi.advanceTimersByTimeAsync(20)
    expect(scene.ledger).toMatchObject({ inFlight: 0, confirmed: 2 })
  })

  test('after a barrier began is not covered by it', async () => {
    const scene = await openHanging()
    scene.stream.publish({})
    await tick()
    scene.stream.publish({})
    scene.transport.flushes[0]?.resolve()
    await tick()
    expect(scene.ledger).toMatchObject({ inFlight: 1, confirmed: 1 })
  })

  test('by several streams is confirmed for each', async () => {
    const scene = await openScene()
    const other = scene.hub.stream('other')
    scene.stream.publish({})
    other.publish({})
    other.publish({})
    await tick()
    expect(scene.ledger).toMatchObject({ confirmed: 1, inFlight: 0 })
    expect(other.ledger()).toMatchObject({ confirmed: 2, inFlight: 0 })
  })

  test('by several streams in turn, frame by frame, is counted at its stream', async () => {
    const scene = await openHanging()
    const streams = ['a', 'b', 'c'].map((name) => scene.hub.stream(name, free))
    const [, b, c] = streams
    for (const stream of [...streams, b]) stream?.publish({})
    await tick()
    const inFlight = streams.map((stream) => stream.ledger().inFlight)
    scene.transport.flushes[0]?.resolve()
    await tick()
    scene.transport.host.error('rivulet/default/c' as Topic, new Error('denied'))
    await vi.advanceTimersByTimeAsync(20)
    scene.transport.flushes[1]?.resolve()
    await tick()
    expect(inFlight).toEqual([1, 2, 1])
    expect(streams.map((stream) => stream.ledger())).toMatchObject([
      { inFlight: 0, confirmed: 1 },
      { inFlight: 0, confirmed: 2 },
      { inFlight: 0, confirmed: 1 },
    ])
    expect(c?.ledger().unconfirmed).toBe(0)
  })

  // RELIABILITY 32
  test('is unconfirmed when its barrier is not answered within 2 s, and never sent again', async () => {
    const scene = await openHanging()
    scene.stream.publish({})
    await vi.advanceTimersByTimeAsync(1_999)
    expect(scene.ledger).toMatchObject({ inFlight: 1, unconfirmed: 0 })
    await vi.advanceTimersByTimeAsync(1)
    expect(scene.ledger).toMatchObject({ inFlight: 0, unconfirmed: 1, confirmed: 0 })
    scene.transport.flushes[0]?.resolve() // too late
    await vi.advanceTimersByTimeAsync(60_000)
    expect(scene.ledger).toMatchObject({ unconfirmed: 1, confirmed: 0 })
    expect(scene.transport.sent).toHaveLength(1)
  })

  test('is unconfirmed on the topic of an error alone, whichever barrier covers it', async () => {
    const scene = await openHanging()
    const other = scene.hub.stream('other', free)
    scene.stream.publish({})
    other.publish({})
    await tick()
    scene.stream.publish({})
    scene.transport.host.error(scene.topic, new Error('denied'))
    scene.transport.flushes[0]?.resolve()
    await vi.advanceTimersByTimeAsync(20)
    scene.transport.flushes[1]?.resolve()
    await tick()
    expect(scene.ledger).toMatchObject({ inFlight: 0, confirmed: 0, unconfirmed: 2 })
    expect(other.ledger()).toMatchObject({ inFlight: 0, confirmed: 1, unconfirmed: 0 })
    scene.stream.publish({})
    await vi.advanceTimersByTimeAsync(20)
    scene.transport.flushes[2]?.resolve()
    await tick()
    expect(scene.ledger).toMatchObject({ inFlight: 0, confirmed: 1, unconfirmed: 2 })
  })

  test('is confirmed when the error came before it', async () => {
    const scene = await openHanging()
    scene.stream.publish({})
    await tick()
    scene.transport.host.error(scene.topic, new Error('denied'))
    scene.stream.publish({})
    scene.transport.flushes[0]?.resolve()
    await vi.advanceTimersByTimeAsync(20)
    scene.transport.flushes[1]?.resolve()
    await tick()
    expect(scene.ledger).toMatchObject({ inFlight: 0, confirmed: 1, unconfirmed: 1 })
  })

  test('is confirmed when the error came before it, whichever barrier covers both', async () => {
    const scene = await openHanging()
    scene.stream.publish({})
    await tick()
    scene.stream.publish({})
    await tick()
    scene.transport.host.error(scene.topic, new Error('denied'))
    scene.stream.publish({})
    await tick()
    scene.transport.flushes[0]?.resolve()
    await vi.advanceTimersByTimeAsync(20)
    scene.transport.flushes[1]?.resolve()
    await tick()
    expect(scene.ledger).toMatchObject({ inFlight: 0, confirmed: 1, unconfirmed: 2 })
  })

  test('is confirmed when an error names no valid topic; the error comes to the hub', async () => {
    const scene = await openHanging()
    scene.stream.publish({})
    await tick()
    expect(() => scene.transport.host.error('rivulet/default/%zz' as Topic, new Error('odd'))).not.toThrow()
    scene.transport.flushes[0]?.resolve()
    await tick()
    expect(scene.ledger).toMatchObject({ confirmed: 1, unconfirmed: 0 })
    expect(scene.errors).toMatchObject([{ code: 'TRANSPORT_FAILED', hub: 'default' }])
  })

  test('is confirmed when an error names no topic', async () => {
    const scene = await openHanging()
    scene.stream.publish({})
    await tick()
    scene.transport.host.error(undefined, new Error('odd'))
    scene.transport.flushes[0]?.resolve()
    await tick()
    expect(scene.ledger).toMatchObject({ confirmed: 1, unconfirmed: 0 })
  })

  test('is unconfirmed when the connection goes down, and on close', async () => {
    const scene = await openHanging()
    scene.stream.publish({})
    await tick()
    scene.stream.publish({})
    scene.transport.host.down()
    await tick()
    expect(scene.ledger).toMatchObject({ inFlight: 0, unconfirmed: 2 })
    await vi.advanceTimersByTimeAsync(1_000)
    scene.stream.publish({})
    const closing = scene.hub.close()
    await vi.advanceTimersByTimeAsync(5_000)
    expect(await closing).toMatchObject({ accepted: 3, inFlight: 0, unconfirmed: 3 })
  })
})

describe('what the connection ends under', () => {
  test('is counted once when the barrier is answered at the same moment', async () => {
    const scene = await openHanging()
    scene.stream.publish({})
    await tick()
    scene.transport.flushes[0]?.resolve()
    scene.transport.host.down()
    await tick()
    expect(scene.ledger).toMatchObject({ accepted: 1, inFlight: 0, unconfirmed: 1, confirmed: 0 })
    await vi.advanceTimersByTimeAsync(5_000)
    expectLawful(scene.ledger)
  })

  test('takes up memory once: the next one has no more than maxInFlightBytes outstanding', async () => {
    const scene = await openHanging(free, 2_500)
    const publish = () => scene.stream.publish({ text: 'x'.repeat(900) })
    publish()
    await tick()
    scene.transport.flushes[0]?.resolve()
    scene.transport.host.down()
    await vi.advanceTimersByTimeAsync(1_000)
    for (let count = 0; count < 4; count++) publish()
    expect(scene.hub.status).toBe('up')
    expect(scene.ledger).toMatchObject({ accepted: 5, inFlight: 2, unconfirmed: 1, lost: { congested: 2 } })
  })

  test('is no missed barrier of the next one, on which all publishers are heard at once', async () => {
    const scene = await openHanging()
    scene.stream.publish({})
    await tick()
    scene.transport.host.down()
    await vi.advanceTimersByTimeAsync(1_000)
    expect(scene.hub.status).toBe('up')
    scene.receive(wire(1, 0))
    expect(scene.data.at(-1)).toEqual({ n: 1 })
  })
})

describe('a barrier', () => {
  test('runs 20 ms after a send at the latest when the one before is long over', async () => {
    const scene = await openScene(free)
    await vi.advanceTimersByTimeAsync(1_000)
    const { length } = scene.transport.flushes
    scene.stream.publish({})
    await tick()
    expect(scene.transport.flushes).toHaveLength(length + 1)
    expect(scene.ledger.confirmed).toBe(1)
  })

  test('does not run while nothing is joined and nothing is outstanding', async () => {
    const transport = new ScriptedTransport()
    const hub = createHub({ transport })
    hub.on('error', () => {})
    await hub.ready()
    await vi.advanceTimersByTimeAsync(60_000)
    expect(transport.flushes).toHaveLength(0)
    hub.stream('scene').publish({})
    await vi.advanceTimersByTimeAsync(60_000)
    expect(transport.flushes).toHaveLength(1)
    transport.answers.join = new Error('not allowed')
    const refused = hub.stream('refused').subscribe(() => {})
    await vi.advanceTimersByTimeAsync(10_000)
    expect(transport.flushes).toHaveLength(1)
    refused.unsubscribe()
    transport.answers.join = 'resolve'
    const subscription = hub.stream('scene').subscribe(() => {})
    await vi.advanceTimersByTimeAsync(60_000)
    expect(transport.flushes.length).toBeGreaterThan(1)
    subscription.unsubscribe()
    await vi.advanceTimersByTimeAsync(60_000)
    const { length } = transport.flushes
    await vi.advanceTimersByTimeAsync(60_000)
    expect(transport.flushes).toHaveLength(length)
    expect(vi.getTimerCount()).toBe(0)
  })

  test('runs one at a time', async () => {
    const scene = await openHanging()
    for (let count = 0; count < 100; count++) {
      scene.stream.publish({})
      await vi.advanceTimersByTimeAsync(10)
    }
    expect(scene.transport.flushes).toHaveLength(1)
  })

  test('stands behind each full frame of a burst, though none is a whole chunk', async () => {
    const scene = await openHanging({ limit: false })
    const before = scene.transport.flushes.length
    for (let count = 0; count < 40; count++) scene.stream.publish({ text: 'x'.repeat(4_000) })
    await vi.advanceTimersByTimeAsync(0)
    expect(scene.transport.sent.map(({ text }) => Math.floor(Buffer.byteLength(text) / 4_000))).toEqual([
      5, 5, 5, 5, 5, 5, 5, 5,
    ])
    expect(scene.transport.flushes.length - before).toBe(8)
  })

  test('starts at least 20 ms after the one before', async () => {
    const scene = await openScene(free)
    const startsMs: number[] = []
    const { transport } = scene
    const flush = transport.flush.bind(transport)
    transport.flush = (signal) => {
      startsMs.push(performance.now())
      return flush(signal)
    }
    for (let count = 0; count < 200; count++) {
      scene.stream.publish({})
      await vi.advanceTimersByTimeAsync(1)
    }
    expect(startsMs.length).toBeGreaterThan(8)
    for (const [nth, atMs] of startsMs.slice(1).entries()) {
      expect(atMs - (startsMs[nth] as number)).toBeGreaterThanOrEqual(20)
    }
  })

  test('does not run before there is a connection, though a frame comes that is stale', async () => {
    const scene = await openScene()
    scene.receive(wire(1, 100_000))
    scene.transport.answers.open = 'hang'
    scene.transport.host.down()
    await vi.advanceTimersByTimeAsync(1_000)
    const { length } = scene.transport.flushes
    await vi.advanceTimersByTimeAsync(1_000)
    scene.receive(wire(2, 0))
    expect(scene.ledger.dropped.stale).toBe(1)
    await vi.advanceTimersByTimeAsync(3_000)
    expect([scene.hub.status, scene.transport.flushes.length]).toEqual(['down', length])
  })

  // RELIABILITY 3
  test('that is missed twice in a row takes the connection down, and it is opened anew', async () => {
    const scene = await openHanging()
    scene.stream.publish({})
    await vi.advanceTimersByTimeAsync(2_000)
    expect(scene.hub.status).toBe('up')
    await vi.advanceTimersByTimeAsync(2_001)
    expect(scene.hub.status).toBe('down')
    expect(scene.errors).toMatchObject([{ code: 'TRANSPORT_UNAVAILABLE' }])
    await vi.advanceTimersByTimeAsync(1_000)
    expect(scene.hub.status).toBe('up')
    expect(scene.transport.opens).toHaveLength(2)
    expect(scene.transport.sent).toHaveLength(1)
  })

  test('that is missed is followed by another one although nothing more was sent', async () => {
    const scene = await openHanging()
    scene.stream.publish({})
    await vi.advanceTimersByTimeAsync(2_001)
    scene.transport.answers.flush = 'resolve'
    expect(scene.transport.flushes).toHaveLength(2)
    scene.transport.flushes[1]?.resolve()
    await vi.advanceTimersByTimeAsync(60_000)
    expect(scene.hub.status).toBe('up')
    scene.receive({ data: { late: 'sensor' } }) // is the connection trusted again?
    expect(scene.data.at(-1)).toEqual({ late: 'sensor' })
  })

  test('that is answered between two misses keeps the connection', async () => {
    const scene = await openHanging()
    for (const round of [1, 2, 3]) {
      scene.stream.publish({ round })
      await vi.advanceTimersByTimeAsync(2_000) // missed
      scene.stream.publish({ round })
      await tick()
      scene.transport.flushes.at(-1)?.resolve()
      await vi.advanceTimersByTimeAsync(100)
      scene.transport.flushes.at(-1)?.resolve()
      await vi.advanceTimersByTimeAsync(100)
    }
    expect(scene.hub.status).toBe('up')
    expect(scene.ledger).toMatchObject({ accepted: 6, unconfirmed: 3, confirmed: 3 })
  })

  test.each([500, 1_500])(
    'that a process standing still at %i ms delays has its time once more',
    async (atMs) => {
      let stoodMs = 0
      const scene = await openScene(free, { nowMs: () => performance.now() + stoodMs })
      Object.assign(scene.transport.answers, { flush: 'hang', open: 'hang' })
      scene.stream.publish({})
      await vi.advanceTimersByTimeAsync(atMs)
      stoodMs = 1_000
      await vi.advanceTimersByTimeAsync(2_100 - atMs)
      expect(scene.ledger).toMatchObject({ inFlight: 1, unconfirmed: 0 })
      scene.transport.flushes[0]?.resolve()
      await tick()
      expect(scene.ledger).toMatchObject({ inFlight: 0, confirmed: 1 })
      scene.stream.publish({})
      await vi.advanceTimersByTimeAsync(500)
      stoodMs = 5_000
      await vi.advanceTimersByTimeAsync(4_600)
      expect(scene.hub.status).toBe('down')
    },
  )

  test('that fails counts as missed, a throw too', async () => {
    const scene = await openScene(free)
    scene.transport.answers.flush = new Error('no barrier')
    scene.stream.publish({})
    await tick()
    expect(scene.ledger).toMatchObject({ unconfirmed: 1 })
    await vi.advanceTimersByTimeAsync(20)
    expect(scene.hub.status).toBe('down')
    expect(scene.errors).toMatchObject([{ cause: { message: 'no barrier' } }])
    await vi.advanceTimersByTimeAsync(1_000)
    scene.transport.flush = () => {
      throw new Error('thrown')
    }
    scene.stream.publish({})
    await vi.advanceTimersByTimeAsync(20)
    expect(scene.errors).toMatchObject([{}, { cause: { message: 'thrown' } }])
  })

  test('gives up its signal at the deadline and when the connection goes', async () => {
    const scene = await openHanging()
    scene.stream.publish({})
    await vi.advanceTimersByTimeAsync(2_001)
    expect(scene.transport.flushes.map(({ signal }) => signal.aborted)).toEqual([true, false])
    scene.transport.host.down()
    await tick()
    expect(scene.transport.flushes[1]?.signal.aborted).toBe(true)
  })
})

describe('while something is joined', () => {
  /** Lets time pass until something has happened, 10 s at the most. */
  async function passUntil(hasHappened: () => boolean): Promise<void> {
    for (let ms = 0; ms < 10_000 && !hasHappened(); ms += 10) await vi.advanceTimersByTimeAsync(10)
    expect(hasHappened()).toBe(true)
  }

  /** A hub that is up before anybody subscribes, as most are. */
  async function openListener(timeouts: TimeoutOptions = { idleMs: 2_000 }) {
    const transport = new ScriptedTransport()
    const hub = createHub({ transport, timeouts })
    const errors: unknown[] = []
    hub.on('error', (error) => errors.push(error))
    await hub.ready()
    await vi.advanceTimersByTimeAsync(10_000)
    const heard: unknown[] = []
    const stream = hub.stream('scene', free)
    await stream.subscribe(({ data }) => heard.push(data)).ready
    const receive = (frame: unknown) =>
      transport.host.receive('rivulet/default/scene' as Topic, JSON.stringify(frame))
    return { transport, hub, errors, heard, stream, receive }
  }

  test.each([
    [30, {}],
    [2, { idleMs: 2_000 }],
  ])(
    'a barrier runs every %i s though nothing is sent, whenever it was joined',
    async (seconds, timeouts) => {
      const early = await openScene({}, { timeouts })
      const late = await openListener(timeouts)
      for (const { transport } of [early, late]) {
        await vi.advanceTimersByTimeAsync(seconds * 1_000)
        const { length } = transport.flushes
        await vi.advanceTimersByTimeAsync(seconds * 10_000)
        expect(transport.flushes.length - length).toBeGreaterThanOrEqual(9)
        expect(transport.flushes.length - length).toBeLessThanOrEqual(10)
      }
    },
  )

  test('a link that is frozen is noticed by who only listens, and given up', async () => {
    const { transport, hub } = await openListener()
    transport.answers.flush = 'hang'
    transport.answers.open = 'hang'
    await vi.advanceTimersByTimeAsync(6_100)
    expect(hub.status).toBe('down')
  })

  test('new publishers are stale from a missed barrier until one is answered', async () => {
    const { transport, heard, stream, receive } = await openListener()
    receive(wire(1, 10_000, KNOWN))
    transport.answers.flush = 'hang'
    await passUntil(() => transport.flushes.at(-1)?.signal.aborted === true)
    receive([wire(1, 0, 'a'.repeat(16)), { data: { foreign: 1 } }, wire(2, 13_900, KNOWN)])
    receive(wire(3, undefined, KNOWN)) // nothing tells how old it is
    expect(heard).toEqual([{ n: 1 }, { n: 2 }])
    expect(stream.ledger().dropped).toMatchObject({ stale: 3 })
    await passUntil(() => transport.flushes.at(-1)?.signal.aborted === false)
    transport.flushes.at(-1)?.resolve()
    await tick()
    receive([wire(1, 0, 'b'.repeat(16)), { data: { foreign: 2 } }])
    expect(heard.slice(2)).toEqual([{ n: 1 }, { foreign: 2 }])
  })

  test('a frozen link is noticed at the next publish, however seldom it is checked', async () => {
    const { transport, hub, stream } = await openListener({})
    transport.answers.flush = 'hang'
    transport.answers.open = 'hang'
    stream.publish({})
    await vi.advanceTimersByTimeAsync(4_100)
    expect(hub.status).toBe('down')
  })

  test('answers behind incoming frames make the connection overdue, and do not end it', async () => {
    const { transport, hub, heard, stream, receive } = await openListener()
    receive(wire(1, 10_000, KNOWN))
    transport.answers.flush = 'hang'
    stream.publish({})
    for (let nth = 2; nth <= 30; nth++) {
      await vi.advanceTimersByTimeAsync(500)
      receive(wire(nth, 10_000 + (nth - 1) * 500, KNOWN))
    }
    receive(wire(1, 0, 'a'.repeat(16)))
    expect([hub.status, heard.length, stream.ledger().dropped.stale]).toEqual(['up', 31, 1])
    transport.answers.open = 'hang'
    await vi.advanceTimersByTimeAsync(8_000)
    expect(hub.status).toBe('down')
  })

  test('a backend that says that it goes on has time, in which it may want no more', async () => {
    const { transport, hub, stream } = await openListener()
    transport.answers.flush = 'hang'
    stream.publish({})
    for (let nth = 0; nth < 20; nth++) {
      await vi.advanceTimersByTimeAsync(1_500)
      transport.host.progress?.(nth < 10)
      stream.publish({})
    }
    expect([hub.status, hub.ledger().lost.congested]).toEqual(['up', 10])
    expect(hub.ledger().inFlight).toBe(11)
    transport.host.progress?.(true)
    transport.answers.flush = 'resolve'
    for (const flush of transport.flushes) flush.resolve()
    await vi.advanceTimersByTimeAsync(20)
    stream.publish({})
    await vi.advanceTimersByTimeAsync(20)
    expect(hub.ledger()).toMatchObject({ inFlight: 0, confirmed: 12, lost: { congested: 10 } })
    transport.host.progress?.(true)
    stream.publish({})
    await vi.advanceTimersByTimeAsync(20)
    expect(hub.ledger().confirmed).toBe(13)
  })

  test('a backend that goes on no more is given up, whatever it said before', async () => {
    const { transport, hub, stream } = await openListener()
    transport.answers.flush = 'hang'
    stream.publish({})
    await vi.advanceTimersByTimeAsync(1_500)
    transport.host.progress?.(false)
    transport.answers.open = 'hang'
    await vi.advanceTimersByTimeAsync(3_900)
    expect(hub.status).toBe('up')
    await vi.advanceTimersByTimeAsync(1_000)
    expect(hub.status).toBe('down')
    transport.host.progress?.(true) // is ignored
  })

  test('a slow barrier that is answered in time makes nothing stale', async () => {
    const { transport, heard, receive } = await openListener()
    transport.answers.flush = 'hang'
    const { length } = transport.flushes
    await passUntil(() => transport.flushes.length > length)
    await vi.advanceTimersByTimeAsync(1_900)
    receive([wire(1, 0, 'a'.repeat(16)), { data: { foreign: 1 } }])
    expect(heard).toHaveLength(2)
  })

  const KNOWN = 'feedfacecafebeef'
})

describe('memory', () => {
  // RELIABILITY 33
  test('is bounded: more than maxInFlightBytes outstanding is lost as congested', async () => {
    const scene = await openHanging(free, 10_000)
    const lost: unknown[] = []
    scene.stream.on('lost', (payload) => lost.push(payload))
    for (let count = 0; count < 1_000; count++) scene.stream.publish({ text: 'x'.repeat(900) })
    const bytes = scene.transport.sent.reduce((sum, { text }) => sum + Buffer.byteLength(text), 0)
    expect(bytes).toBeLessThanOrEqual(10_000)
    expect(bytes).toBeGreaterThan(8_900)
    expect(scene.heard).toHaveLength(1_000)
    expect(scene.ledger.lost.congested).toBe(1_000 - scene.transport.sent.length)
    expect(lost[0]).toMatchObject({ reason: 'congested', count: 1 })
    expectLawful(scene.ledger)
  })

  test('may be used up to the last byte', async () => {
    const scene = await openHanging()
    scene.stream.publish({})
    const bytes = scene.transport.sent[0]?.text.length as number
    for (const [maxInFlightBytes, sent] of [
      [bytes, 1],
      [bytes - 1, 0],
    ] as const) {
      const bounded = await openHanging(free, maxInFlightBytes)
      bounded.stream.publish({})
      expect(bounded.transport.sent).toHaveLength(sent)
    }
  })

  test('is 8 MiB by default', async () => {
    const scene = await openHanging()
    for (let count = 0; count < 3_000; count++) scene.stream.publish({ text: 'x'.repeat(4_000) })
    const bytes = scene.transport.sent.reduce((sum, { text }) => sum + text.length, 0)
    expect(bytes).toBeLessThanOrEqual(8 * 1024 * 1024)
    expect(bytes).toBeGreaterThan(8 * 1024 * 1024 - 4_200)
  })

  test('is free again when a barrier is answered, but for what was sent since it began', async () => {
    const scene = await openHanging(free, 2_500)
    const publish = () => scene.stream.publish({ text: 'x'.repeat(900) })
    publish()
    await tick()
    publish()
    publish()
    expect(scene.ledger.lost.congested).toBe(1)
    scene.transport.flushes[0]?.resolve()
    await tick()
    publish()
    publish()
    expect(scene.ledger.lost.congested).toBe(2)
  })

  test('is not free again when a barrier is missed: the client may still hold it', async () => {
    const scene = await openHanging(free, 1_500)
    const publish = () => scene.stream.publish({ text: 'x'.repeat(900) })
    publish()
    await vi.advanceTimersByTimeAsync(2_000)
    publish()
    expect(scene.ledger).toMatchObject({ unconfirmed: 1, lost: { congested: 1 } })
  })

  test('is free again with a new connection', async () => {
    const scene = await openHanging(free, 1_500)
    const publish = () => scene.stream.publish({ text: 'x'.repeat(900) })
    publish()
    scene.transport.host.down()
    await vi.advanceTimersByTimeAsync(1_000)
    publish()
    expect(scene.transport.sent).toHaveLength(2)
  })
})

describe('hub.flush', () => {
  test('resolves when everything published before is confirmed', async () => {
    const scene = await openHanging()
    scene.stream.publish({})
    const flushed = scene.hub.flush()
    expect(await stateOf(flushed)).toBe('pending')
    scene.transport.flushes[0]?.resolve()
    expect(await stateOf(flushed)).toBe('resolved')
    expect(scene.ledger.confirmed).toBe(1)
  })

  test('waits for the running barrier, and for the next one for messages after its start', async () => {
    const scene = await openHanging()
    scene.stream.publish({})
    await tick()
    const first = scene.hub.flush()
    await tick()
    scene.stream.publish({})
    const second = scene.hub.flush()
    scene.transport.flushes[0]?.resolve()
    expect([await stateOf(first), await stateOf(second)]).toEqual(['resolved', 'pending'])
    await vi.advanceTimersByTimeAsync(20)
    scene.transport.flushes[1]?.resolve()
    expect(await stateOf(second)).toBe('resolved')
  })

  test('resolves when it is unconfirmed, or lost with the connection', async () => {
    const scene = await openHanging()
    scene.stream.publish({})
    const first = scene.hub.flush()
    await vi.advanceTimersByTimeAsync(2_000)
    expect(await stateOf(first)).toBe('resolved')
    scene.stream.publish({})
    const second = scene.hub.flush()
    await tick()
    scene.transport.host.down()
    expect(await stateOf(second)).toBe('resolved')
    expect(scene.ledger).toMatchObject({ unconfirmed: 2 })
  })

  test('resolves at once while the broker is away: what was published is lost', async () => {
    const scene = await openHanging()
    scene.transport.answers.open = 'hang'
    scene.transport.host.down()
    await tick()
    scene.stream.publish({})
    expect(await stateOf(scene.hub.flush())).toBe('resolved')
    expect(scene.ledger.lost.offline).toBe(1)
  })

  test('rejects with the reason of its signal', async () => {
    const scene = await openHanging()
    scene.stream.publish({})
    const abort = new AbortController()
    const flushed = scene.hub.flush({ signal: abort.signal })
    abort.abort('enough')
    await expect(flushed).rejects.toBe('enough')
  })
})
