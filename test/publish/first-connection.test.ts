import { createHub, type Hub, RivuletError, type Stream, type StreamOptions } from 'rivulet'
import { describe, expect, test } from 'vitest'
import { pass, passUntil, stopTime, tick } from '../support/fake-time.ts'
import { expectLaws } from '../support/ledger-laws.ts'
import { ScriptedTransport } from '../support/scripted-transport.ts'

stopTime()

interface Scene {
  readonly hub: Hub
  readonly transport: ScriptedTransport
  readonly stream: Stream
}

function opening(options: StreamOptions = {}): Scene {
  const transport = new ScriptedTransport()
  transport.answers.open = 'hang'
  const hub = createHub({ transport })
  hub.on('error', () => {})
  const stream = hub.stream('s', options) as Stream
  return { hub, transport, stream }
}

describe('publishWhenReady on a hub that was never up', () => {
  test('waits for the first connection, whatever the limit, and keeps its order', async () => {
    for (const limit of [false, { ratePerSecond: 10, burst: 2 }] as const) {
      const { hub, stream, transport } = opening({ limit })
      const all = [1, 2, 3].map((n) => stream.publishWhenReady({ n }))
      await tick()
      expect(stream.ledger()).toMatchObject({ attempts: 3, accepted: 0, waiting: 3 })
      transport.opens[0]?.resolve()
      await passUntil(Promise.all(all))
      await passUntil(hub.flush())
      expect(transport.frames.flat()).toMatchObject([1, 2, 3].map((n) => ({ data: { n } })))
      expect(stream.ledger()).toMatchObject({ accepted: 3, confirmed: 3, waiting: 0, lost: { offline: 0 } })
    }
  })

  test('waits also when attempts to connect fail', async () => {
    const { stream, transport } = opening()
    const published = stream.publishWhenReady({ n: 1 })
    transport.opens[0]?.reject(new Error('no route'))
    transport.answers.open = 'resolve'
    expect((await passUntil(published)).data).toEqual({ n: 1 })
    await tick()
    expect(transport.sent).toHaveLength(1)
  })

  test('keeps no other verb waiting', async () => {
    const { stream, transport } = opening({ limit: { ratePerSecond: 0, burst: 3 } })
    const published = stream.publishWhenReady({ n: 1 })
    stream.publish({ n: 2 })
    expect(stream.publishLatest({ n: 3 })?.data).toEqual({ n: 3 })
    expect(stream.budget().available).toBe(1)
    transport.opens[0]?.resolve()
    await passUntil(published)
    await tick()
    expect(stream.ledger()).toMatchObject({ accepted: 3, lost: { offline: 2 } })
  })

  test('ends with its signal, with the stream, and with the hub', async () => {
    const { hub, stream, transport } = opening()
    const abort = new AbortController()
    const aborted = stream.publishWhenReady({}, abort)
    const closed = stream.publishWhenReady({})
    abort.abort('enough')
    await expect(aborted).rejects.toBe('enough')
    stream.close()
    await expect(closed).rejects.toMatchObject({ code: 'STREAM_CLOSED' })
    const ended = hub.stream('other').publishWhenReady({})
    await passUntil(hub.close())
    await expect(ended).rejects.toMatchObject({ code: 'HUB_CLOSED' })
    expect(hub.ledger()).toMatchObject({ waiting: 0, refused: { aborted: 1, closed: 2 } })
    expectLaws(hub.ledger())
    expect(transport.sent).toEqual([])
  })

  test('is refused past maxWaiting', async () => {
    const { stream } = opening({ maxWaiting: 2 })
    for (const n of [1, 2]) void stream.publishWhenReady({ n })
    await expect(stream.publishWhenReady({ n: 3 })).rejects.toMatchObject({ code: 'QUEUE_FULL' })
  })

  test('goes on waiting for room once the hub is up', async () => {
    const { hub, stream, transport } = opening({ limit: { ratePerSecond: 1, burst: 1 } })
    const all = [1, 2].map((n) => stream.publishWhenReady({ n }))
    transport.opens[0]?.resolve()
    await tick()
    expect(stream.ledger()).toMatchObject({ accepted: 1, waiting: 1 })
    await pass(1_000)
    await Promise.all(all)
    expect(stream.ledger()).toMatchObject({ accepted: 2, waiting: 0 })
    expect(hub.status).toBe('up')
  })
})

test('publishWhenReady on a hub down after it was up does not wait for the connection', async () => {
  const { hub, stream, transport } = opening()
  transport.opens[0]?.resolve()
  await passUntil(hub.ready())
  transport.host.down(new Error('gone'))
  await tick()
  await stream.publishWhenReady({})
  await tick()
  expect(stream.ledger().lost.offline).toBe(1)
})

test('ready of a refused hub causes no unhandled rejection when it is not awaited', async () => {
  const transport = new ScriptedTransport()
  transport.answers.open = new RivuletError('TRANSPORT_FAILED', 'Wrong password.')
  const unhandled: unknown[] = []
  const hear = (reason: unknown) => unhandled.push(reason)
  process.on('unhandledRejection', hear)
  const hub = createHub({ transport })
  hub.on('error', () => {})
  void hub.ready()
  for (let turn = 0; turn < 3; turn++) await tick()
  await passUntil(hub.close())
  for (let turn = 0; turn < 3; turn++) await tick()
  process.off('unhandledRejection', hear)
  expect(unhandled).toEqual([])
})
