import { createHub, type Message, type StreamOptions, type Topic } from 'rivulet'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { expectLawful, openScene, type Scene, stateOf, tick } from '../support/remote-scene.ts'
import { ScriptedTransport } from '../support/scripted-transport.ts'

beforeEach(() => vi.useFakeTimers())
afterEach(() => vi.useRealTimers())

const SID = /^TZ[0-9a-f]{32}$/
const PLACE = { stream: 'scene', hub: 'default' }

async function openHanging(options: StreamOptions = {}, maxInFlightBytes?: number): Promise<Scene> {
  const scene = await openScene(options, maxInFlightBytes === undefined ? {} : { maxInFlightBytes })
  scene.transport.answers.flush = 'hang'
  return scene
}

describe('publishConfirmed', () => {
  test('resolves to the message when the barrier after it is answered, and not before', async () => {
    const scene = await openHanging()
    const confirmed = scene.stream.publishConfirmed({ n: 1 })
    expect(scene.data).toEqual([{ n: 1 }])
    await vi.advanceTimersByTimeAsync(100)
    expect(await stateOf(confirmed)).toBe('pending')
    scene.transport.flushes.at(-1)?.resolve()
    expect(await confirmed).toBe(scene.heard[0])
    expect(scene.ledger).toMatchObject({ confirmed: 1, inFlight: 0 })
  })

  test('without a transport resolves when the message was delivered here', async () => {
    const heard: Message[] = []
    const stream = createHub().stream('local')
    const nested: Promise<Message>[] = []
    stream.subscribe((message) => {
      heard.push(message)
      if (heard.length === 1) nested.push(stream.publishConfirmed({ n: 2 }))
    })
    expect(await stream.publishConfirmed({ n: 1 })).toBe(heard[0])
    expect(await nested[0]).toBe(heard[1])
  })

  test('inside a running delivery resolves when its own message is confirmed', async () => {
    const scene = await openHanging({ batch: false })
    const nested: Promise<Message>[] = []
    scene.stream.subscribe(({ data }) => {
      if (data.n === 1) nested.push(scene.stream.publishConfirmed({ n: 2 }))
    })
    scene.stream.publish({ n: 1 })
    await tick()
    expect(scene.transport.frames).toMatchObject([{ data: { n: 1 } }, { data: { n: 2 } }])
    scene.transport.flushes.at(-1)?.resolve()
    expect((await nested[0])?.data).toEqual({ n: 2 })
  })

  test('is refused as publish is, and waits for no room', async () => {
    const scene = await openScene({ limit: { ratePerSecond: 1, burst: 1 }, maxBytes: 20 })
    await expect(scene.stream.publishConfirmed({ n: 1n as never })).rejects.toMatchObject({
      code: 'INVALID_DATA',
    })
    await expect(scene.stream.publishConfirmed({ text: 'x'.repeat(30) })).rejects.toMatchObject({
      code: 'PAYLOAD_TOO_LARGE',
    })
    const first = scene.stream.publishConfirmed({})
    await vi.advanceTimersByTimeAsync(100)
    await first
    await expect(scene.stream.publishConfirmed({})).rejects.toMatchObject({
      code: 'RATE_LIMITED',
      retryAfterMs: expect.any(Number),
    })
    scene.stream.close()
    await expect(scene.stream.publishConfirmed({})).rejects.toMatchObject({ code: 'STREAM_CLOSED' })
    const refused = { invalidData: 1, tooLarge: 1, rateLimited: 1, closed: 1 }
    expect(scene.ledger).toMatchObject({ attempts: 5, accepted: 1, refused })
  })

  test.each<[string, (scene: Scene) => void]>([
    ['offline', ({ transport }) => transport.host.down(new Error('gone'))],
    ['offline', ({ transport }) => Object.assign(transport, { sending: 'offline' })],
    ['failed', ({ transport }) => Object.assign(transport, { sending: new Error('broken') })],
  ])('rejects with LOST when the message did not reach the broker: %s', async (reason, harm) => {
    const scene = await openScene()
    harm(scene)
    await tick()
    const lost: string[] = []
    scene.stream.on('lost', ({ sids }) => lost.push(...sids))
    const confirmed = scene.stream.publishConfirmed({})
    const sid = scene.heard[0]?.sid
    await expect(confirmed).rejects.toMatchObject({ code: 'LOST', reason, sid, ...PLACE })
    expect(lost).toEqual([sid])
    expect(scene.ledger.lost[reason as 'offline']).toBe(1)
  })

  test('rejects with LOST the one message of a frame which is over the size limit', async () => {
    const scene = await openScene({ limit: false })
    scene.transport.capabilities = { ...scene.transport.capabilities, maxFrameBytes: () => 200 }
    const all = ['a', 'x'.repeat(200), 'b'].map((text) => scene.stream.publishConfirmed({ text }))
    const outcomes = Promise.allSettled(all)
    await vi.advanceTimersByTimeAsync(100)
    expect(await outcomes).toMatchObject([
      { status: 'fulfilled', value: { data: { text: 'a' } } },
      { status: 'rejected', reason: { code: 'LOST', reason: 'failed' } },
      { status: 'fulfilled', value: { data: { text: 'b' } } },
    ])
  })

  test('rejects with LOST what there is no room for on the way, and confirms the rest', async () => {
    const scene = await openHanging({ limit: false, batch: false }, 10_000)
    const all = Array.from({ length: 100 }, () => scene.stream.publishConfirmed({ text: 'x'.repeat(900) }))
    const outcomes = Promise.allSettled(all)
    await vi.advanceTimersByTimeAsync(100)
    for (const flush of scene.transport.flushes) flush.resolve()
    const codes = (await outcomes).map((one) => (one.status === 'fulfilled' ? 'ok' : one.reason.reason))
    expect(codes.filter((code) => code === 'ok')).toHaveLength(scene.transport.sent.length)
    expect(codes.filter((code) => code === 'congested')).toHaveLength(scene.ledger.lost.congested)
    expect(scene.ledger).toMatchObject({ accepted: 100, inFlight: 0, unconfirmed: 0 })
  })

  test('rejects with UNCONFIRMED and the cause when the connection is lost', async () => {
    const scene = await openHanging()
    const confirmed = scene.stream.publishConfirmed({})
    await tick()
    const cause = new Error('gone')
    scene.transport.host.down(cause)
    await expect(confirmed).rejects.toMatchObject({
      code: 'UNCONFIRMED',
      cause,
      sid: expect.stringMatching(SID),
      ...PLACE,
    })
    expect(scene.ledger).toMatchObject({ unconfirmed: 1, inFlight: 0 })
  })

  test('rejects with UNCONFIRMED when no answer comes', async () => {
    const scene = await openHanging()
    const confirmed = scene.stream.publishConfirmed({})
    await vi.advanceTimersByTimeAsync(1_999)
    expect(await stateOf(confirmed)).toBe('pending')
    await vi.advanceTimersByTimeAsync(1)
    await expect(confirmed).rejects.toMatchObject({ code: 'UNCONFIRMED' })
  })

  test('rejects with UNCONFIRMED and the reason of the broker, on the refused topic only', async () => {
    const scene = await openHanging()
    const other = scene.hub.stream('other').publishConfirmed({})
    const confirmed = scene.stream.publishConfirmed({})
    await tick()
    scene.transport.host.error(scene.topic, new Error('denied'))
    await expect(confirmed).rejects.toMatchObject({
      code: 'UNCONFIRMED',
      cause: { code: 'TRANSPORT_FAILED', message: expect.stringContaining('denied') },
    })
    const next = scene.stream.publishConfirmed({})
    await vi.advanceTimersByTimeAsync(20)
    for (const flush of scene.transport.flushes) flush.resolve()
    await vi.advanceTimersByTimeAsync(100)
    for (const flush of scene.transport.flushes) flush.resolve()
    await Promise.all([other, next])
    expect(scene.ledger).toMatchObject({ unconfirmed: 1, confirmed: 1 })
  })

  test('is settled by a close of the hub: confirmed in time, or UNCONFIRMED', async () => {
    for (const answer of ['resolve', 'hang'] as const) {
      const scene = await openScene()
      scene.transport.answers.flush = answer
      const confirmed = scene.stream.publishConfirmed({})
      const outcome = confirmed.then(
        () => 'confirmed',
        ({ code }) => code,
      )
      const closed = scene.hub.close()
      await vi.advanceTimersByTimeAsync(5_000)
      const ledger = await closed
      expect(await outcome).toBe(answer === 'resolve' ? 'confirmed' : 'UNCONFIRMED')
      expect(ledger).toMatchObject(answer === 'resolve' ? { confirmed: 1 } : { unconfirmed: 1 })
    }
  })

  test('resolves when the stream is removed after it', async () => {
    const scene = await openScene()
    const confirmed = scene.stream.publishConfirmed({ n: 1 })
    scene.stream.remove()
    await vi.advanceTimersByTimeAsync(100)
    expect((await confirmed).data).toEqual({ n: 1 })
  })

  test('is settled for each stream and each frame of its own', async () => {
    const scene = await openHanging({ limit: false })
    const names = ['a', 'b', 'c']
    const all = Array.from({ length: 200 }, (_, n) =>
      scene.hub.stream(names[n % 3] as string, { limit: false }).publishConfirmed({ n }),
    )
    await tick()
    scene.transport.flushes[0]?.resolve()
    await vi.advanceTimersByTimeAsync(100)
    for (const flush of scene.transport.flushes) flush.resolve()
    await vi.advanceTimersByTimeAsync(100)
    for (const flush of scene.transport.flushes) flush.resolve()
    expect((await Promise.all(all)).map(({ data }) => data.n)).toEqual(all.map((_, n) => n))
  })
})

describe('a signal of publishConfirmed', () => {
  test('that has aborted refuses, and nothing is published', async () => {
    const scene = await openScene()
    const reason = new Error('enough')
    const signal = AbortSignal.abort(reason)
    await expect(scene.stream.publishConfirmed({}, { signal })).rejects.toBe(reason)
    const abort = new AbortController()
    const data = {
      get n() {
        abort.abort(reason)
        return 1
      },
    }
    await expect(scene.stream.publishConfirmed(data, abort)).rejects.toBe(reason)
    expect(scene.ledger).toMatchObject({ attempts: 2, accepted: 0, refused: { aborted: 2 } })
  })

  test('that aborts ends the wait only, and the error says so', async () => {
    const scene = await openHanging()
    const abort = new AbortController()
    const confirmed = scene.stream.publishConfirmed({}, abort)
    await tick()
    const reason = new Error('enough')
    abort.abort(reason)
    await expect(confirmed).rejects.toMatchObject({
      code: 'UNCONFIRMED',
      reason: 'aborted',
      cause: reason,
      sid: scene.heard[0]?.sid,
      message: expect.stringContaining('The wait for the confirmation was aborted; it may have arrived.'),
    })
    scene.transport.flushes[0]?.resolve()
    await tick()
    expect(scene.ledger).toMatchObject({ accepted: 1, confirmed: 1, refused: { aborted: 0 } })
  })

  test('that a subscriber aborts ends the wait, too', async () => {
    const scene = await openHanging()
    const abort = new AbortController()
    scene.stream.subscribe(() => abort.abort())
    await expect(scene.stream.publishConfirmed({}, abort)).rejects.toMatchObject({ reason: 'aborted' })
    expect(scene.ledger.accepted).toBe(1)
  })

  test('keeps no listener once the message is confirmed', async () => {
    const scene = await openScene()
    const { signal } = new AbortController()
    const [add, remove] = [vi.spyOn(signal, 'addEventListener'), vi.spyOn(signal, 'removeEventListener')]
    const confirmed = scene.stream.publishConfirmed({}, { signal })
    await vi.advanceTimersByTimeAsync(100)
    await confirmed
    expect(remove.mock.calls.length).toBe(add.mock.calls.length)
  })
})

describe('flush', () => {
  test('resolves to how what was under way ended', async () => {
    const scene = await openScene()
    const other = scene.hub.stream('other')
    scene.stream.publish({})
    other.publish({})
    other.publish({})
    expect(await scene.hub.flush()).toEqual({ confirmed: 3, unconfirmed: 0, lost: 0 })
    expect(await scene.hub.flush()).toEqual({ confirmed: 0, unconfirmed: 0, lost: 0 })
    expect(await createHub().flush()).toEqual({ confirmed: 0, unconfirmed: 0, lost: 0 })
  })

  test('counts what was lost in this tick, sent before the call or not', async () => {
    const scene = await openScene({ limit: false })
    scene.transport.host.down(new Error('gone'))
    await tick()
    for (let n = 0; n < 100; n++) scene.stream.publish({ n })
    expect(await scene.hub.flush()).toEqual({ confirmed: 0, unconfirmed: 0, lost: 100 })
    expect(await scene.hub.flush()).toEqual({ confirmed: 0, unconfirmed: 0, lost: 0 })
  })

  test('counts what a lost connection leaves unconfirmed', async () => {
    const scene = await openHanging()
    scene.stream.publish({})
    await tick()
    scene.stream.publish({})
    const flushed = scene.hub.flush()
    await tick()
    scene.transport.host.down(new Error('gone'))
    expect(await flushed).toEqual({ confirmed: 0, unconfirmed: 2, lost: 0 })
    expectLawful(scene.ledger)
  })

  test('waits for each barrier, also for one that is answered after a later one failed', async () => {
    const scene = await openHanging()
    scene.stream.publish({})
    await tick()
    scene.stream.publish({})
    const flushed = scene.hub.flush()
    await tick()
    scene.transport.flushes[0]?.resolve()
    await tick()
    scene.transport.flushes[1]?.reject(new Error('failed'))
    expect(await flushed).toEqual({ confirmed: 1, unconfirmed: 1, lost: 0 })
  })

  test('of two at a time counts the same messages in both', async () => {
    const transport = new ScriptedTransport()
    const hub = createHub({ transport })
    await hub.ready()
    hub.stream('s').publish({})
    const both = [hub.flush(), hub.flush()]
    expect(await Promise.all(both)).toMatchObject([{ confirmed: 1 }, { confirmed: 1 }])
    expect(transport.sent[0]?.topic).toBe('rivulet/default/s' as Topic)
  })
})
