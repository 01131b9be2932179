import { createHub, type Hub } from 'rivulet'
import { describe, expect, test, vi } from 'vitest'
import { pass, passUntil, stopTime, tick } from '../support/fake-time.ts'
import { expectLaws } from '../support/ledger-laws.ts'
import { ScriptedTransport } from '../support/scripted-transport.ts'

stopTime()

function linked(transport = new ScriptedTransport()): { hub: Hub; transport: ScriptedTransport } {
  const hub = createHub({ transport })
  hub.on('error', () => {})
  return { hub, transport }
}

describe('hub.close', () => {
  test('ends every stream and resolves to the final ledger', async () => {
    const hub = createHub()
    const stream = hub.stream('a')
    stream.publish({})
    const closing = hub.close()
    expect([hub.status, stream.closed]).toEqual(['closed', true])
    expect(await closing).toMatchObject({ attempts: 1, accepted: 1, subscribers: 0 })
    expect(await closing).toEqual(hub.ledger())
  })

  // RELIABILITY 30, 31
  test('hands over what was published before, and confirms it', async () => {
    const { hub, transport } = linked()
    await hub.ready()
    const stream = hub.stream('a', { limit: false })
    for (let n = 0; n < 1000; n++) stream.publish({ n })
    const ledger = await passUntil(hub.close())
    expect(transport.frames.flat()).toHaveLength(1000)
    expect(ledger).toMatchObject({ accepted: 1000, confirmed: 1000, inFlight: 0 })
    expectLaws(ledger)
  })

  test('is idempotent: every call gives the same promise', async () => {
    const { hub, transport } = linked()
    await hub.ready()
    const closing = hub.close()
    expect(hub.close()).toBe(closing)
    await passUntil(closing)
    expect(hub.close()).toBe(closing)
    expect(transport.closes).toHaveLength(1)
  })

  test('may be called by what ends with a stream, and still closes the transport once', async () => {
    const { hub, transport } = linked()
    await hub.ready()
    const closings: unknown[] = []
    hub.stream('a').messages$.subscribe({ complete: () => closings.push(hub.close()) })
    hub.stream('b', { limit: { burst: 1 } }).on('refused', () => closings.push(hub.close()))
    hub.stream('b').publish({})
    void hub.stream('b').publishWhenReady({})
    const closing = hub.close()
    expect(closings).toEqual([closing, closing])
    expect(closings.every((other) => other === closing)).toBe(true)
    await passUntil(closing)
    expect(transport.closes).toHaveLength(1)
  })

  test.each(['open', 'flush', 'close', 'join'] as const)(
    'is bounded in time when the transport never answers %s',
    async (call) => {
      const transport = new ScriptedTransport()
      transport.answers[call] = 'hang'
      const { hub } = linked(transport)
      hub.stream('a').subscribe(() => {})
      await tick()
      hub.stream('a').publish({})
      const startedMs = performance.now()
      const ledger = await passUntil(hub.close())
      expect(performance.now() - startedMs).toBeLessThanOrEqual(5000)
      expect(ledger.inFlight).toBe(0)
      expectLaws(ledger)
    },
  )

  test('ends reconnecting at once', async () => {
    const transport = new ScriptedTransport()
    transport.answers.open = new Error('away')
    const { hub } = linked(transport)
    await tick()
    await passUntil(hub.close())
    const { length } = transport.opens
    vi.advanceTimersByTime(60_000)
    await tick()
    expect(transport.opens).toHaveLength(length)
    expect(vi.getTimerCount()).toBe(0)
  })

  test('equals Symbol.asyncDispose', async () => {
    const hub = createHub()
    expect(hub[Symbol.asyncDispose]).toBe(hub.close)
    await hub[Symbol.asyncDispose]()
    expect(hub.status).toBe('closed')
  })
})

describe('hub.close with values that publishLatest kept', () => {
  /** A stream with room for one message now and for `ratePerSecond` later; `n: 0` took it. */
  async function keeping(ratePerSecond: number) {
    const { hub, transport } = linked()
    await hub.ready()
    const stream = hub.stream<{ n: number }>('a', { limit: { ratePerSecond, burst: 1 } })
    const told: unknown[] = []
    stream.subscribe(({ data }) => told.push(data.n))
    stream.on('refused', ({ code }) => told.push(code))
    stream.on('closed', ({ reason }) => told.push(reason))
    stream.publish({ n: 0 })
    const sent = () => (transport.frames.flat() as { data: unknown }[]).map(({ data }) => data)
    return { hub, transport, stream, told, sent }
  }

  test('publishes each when its turn comes, here and to the broker, then ends the stream', async () => {
    const { hub, stream, told, sent } = await keeping(10)
    for (const n of [1, 2, 3]) stream.publishLatest({ n }, { key: n % 2 })
    const closing = hub.close()
    expect([hub.status, stream.closed, told]).toEqual(['closed', true, [0]])
    await pass(100)
    expect(told).toEqual([0, 3])
    const ledger = await passUntil(closing)
    expect(told).toEqual([0, 3, 2, 'hubClosed'])
    expect(sent()).toEqual([0, 3, 2].map((n) => ({ n })))
    expect(ledger).toMatchObject({ attempts: 4, confirmed: 3, conflated: 1, waiting: 0, subscribers: 0 })
    expectLaws(ledger)
    expect(vi.getTimerCount()).toBe(0)
  })

  test('refuses at once who waits by publishWhenReady, and takes nothing new', async () => {
    const { hub, stream, told } = await keeping(10)
    const waiting = stream.publishWhenReady({ n: 1 })
    stream.publishLatest({ n: 2 })
    const closing = hub.close()
    await expect(waiting).rejects.toMatchObject({ code: 'HUB_CLOSED' })
    expect(() => stream.publishLatest({ n: 3 })).toThrow(expect.objectContaining({ code: 'HUB_CLOSED' }))
    expect(stream.tryPublish({ n: 4 })).toMatchObject({ code: 'HUB_CLOSED' })
    expect(() => stream.subscribe(() => {})).toThrow(expect.objectContaining({ code: 'HUB_CLOSED' }))
    expect(await passUntil(closing)).toMatchObject({ attempts: 5, confirmed: 2, refused: { closed: 3 } })
    expect(told).toEqual([0, 'HUB_CLOSED', 'HUB_CLOSED', 'HUB_CLOSED', 2, 'hubClosed'])
  })

  test('waits two fifths of closeMs at the most, and not for room that comes later', async () => {
    const { hub, stream, told } = await keeping(1)
    for (const n of [1, 2, 3]) stream.publishLatest({ n }, { key: n })
    const startMs = performance.now()
    const ledger = await passUntil(hub.close())
    expect(told).toEqual([0, 1, 2, 'HUB_CLOSED', 'hubClosed'])
    expect(performance.now() - startMs).toBeLessThanOrEqual(2_100)
    expect(ledger).toMatchObject({ attempts: 4, confirmed: 3, refused: { closed: 1 } })
    expectLaws(ledger)

    const slow = await keeping(0.1)
    slow.stream.publishLatest({ n: 1 })
    const slowLedger = slow.hub.close()
    expect(slow.told).toEqual([0, 'HUB_CLOSED', 'hubClosed'])
    expect(await passUntil(slowLedger)).toMatchObject({ confirmed: 1, refused: { closed: 1 } })
  })

  test('does not wait while the hub is down, and no longer once the connection is lost', async () => {
    const down = await keeping(10)
    down.transport.answers.open = 'hang'
    await down.hub.flush()
    down.transport.host.down()
    await tick()
    down.stream.publishLatest({ n: 1 })
    const downLedger = down.hub.close()
    expect(down.told).toEqual([0, 'HUB_CLOSED', 'hubClosed'])
    await passUntil(downLedger)

    const { hub, transport, stream, told } = await keeping(10)
    for (const n of [1, 2]) stream.publishLatest({ n }, { key: n })
    const closing = hub.close()
    await pass(100)
    transport.host.down()
    await tick()
    expect(told).toEqual([0, 1, 'HUB_CLOSED', 'hubClosed'])
    expectLaws(await passUntil(closing))
  })

  test('is bounded in time when the broker never answers and a clock stops', async () => {
    for (const nowMs of [undefined, () => 1]) {
      const transport = new ScriptedTransport()
      Object.assign(transport.answers, { flush: 'hang', close: 'hang' })
      const hub = createHub({ transport, nowMs })
      hub.on('error', () => {})
      await hub.ready()
      const stream = hub.stream('a', { limit: { ratePerSecond: 1, burst: 1 } })
      for (const key of [1, 2]) stream.publishLatest({}, { key })
      stream.publishLatest({}, { key: 3 })
      const startMs = performance.now()
      const ledger = await passUntil(hub.close())
      expect(performance.now() - startMs).toBeLessThanOrEqual(5_000)
      expect(ledger).toMatchObject({ inFlight: 0, waiting: 0 })
      expectLaws(ledger)
      expect(vi.getTimerCount()).toBe(0)
    }
  })

  test('lets iterators read the last value before they end', async () => {
    const { hub, stream } = await keeping(10)
    const iterator = stream.iterate()
    stream.publishLatest({ n: 1 })
    const closing = hub.close()
    expect((await passUntil(iterator.next())).value?.data).toEqual({ n: 1 })
    expect((await passUntil(iterator.next())).done).toBe(true)
    await passUntil(closing)
  })

  test('refuses what is kept when a single stream is closed', async () => {
    const { hub, stream, told } = await keeping(10)
    stream.publishLatest({ n: 1 })
    stream.close()
    expect(told).toEqual([0, 'STREAM_CLOSED', 'closed'])
    expect(await passUntil(hub.close())).toMatchObject({ confirmed: 1, refused: { closed: 1 } })
  })
})
