import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { sidOf } from '../../src/message/sid.ts'
import { expectLawful, openScene, type Scene, tick, wire } from '../support/remote-scene.ts'

beforeEach(() => vi.useFakeTimers())
afterEach(() => vi.useRealTimers())

const free = { limit: false } as const
type Sent = { data: { n: number }; sid: string; t: number }

/** The numbers in each frame that was handed over. */
const framesOf = ({ transport }: Scene): number[][] =>
  transport.frames.map((frame) => [frame as Sent[] | Sent].flat().map(({ data }) => data.n))

function publish(scene: Scene, count: number, from = 1): void {
  for (let n = from; n < from + count; n++) scene.stream.publish({ n })
}

describe('what is published', () => {
  test('travels with its data, sid, and the milliseconds since its origin began', async () => {
    const scene = await openScene()
    const { sid: first } = scene.stream.publish({ n: 1 })
    await vi.advanceTimersByTimeAsync(1_234)
    const { sid } = scene.stream.publish({ b: 1, a: 2 })
    await tick()
    expect(scene.transport.sent).toEqual([
      { topic: scene.topic, text: `{"data":{"n":1},"sid":"${first}","t":0}` },
      { topic: scene.topic, text: `{"data":{"a":2,"b":1},"sid":"${sid}","t":1234}` },
    ])
  })

  test('has a t that never goes back, whatever steps back the clock takes', async () => {
    let nowMs = 50_000
    const scene = await openScene({ batch: false }, { nowMs: () => nowMs })
    for (const stepMs of [0, 100, -40_000, 10, -20_000, 0, 25]) {
      nowMs += stepMs
      scene.stream.publish({})
    }
    expect(scene.transport.frames.map((frame) => (frame as Sent).t)).toEqual([
      0, 100, 100, 110, 110, 110, 135,
    ])
  })

  test('on one stream within one tick travels as one frame', async () => {
    const scene = await openScene()
    publish(scene, 3)
    expect(scene.transport.sent).toEqual([])
    await Promise.resolve()
    expect(framesOf(scene)).toEqual([[1, 2, 3]])
    publish(scene, 1, 4)
    await tick()
    expect(framesOf(scene)).toEqual([[1, 2, 3], [4]])
  })

  test('on another stream travels in another frame', async () => {
    const scene = await openScene()
    publish(scene, 1)
    scene.hub.stream('other').publish({ n: 2 })
    publish(scene, 1, 3)
    await tick()
    expect(framesOf(scene)).toEqual([[1, 3], [2]])
  })

  test('is handed over at once when it makes 64 messages', async () => {
    const scene = await openScene(free)
    publish(scene, 63)
    expect(scene.transport.sent).toHaveLength(0)
    publish(scene, 2, 64)
    expect(scene.transport.sent).toHaveLength(1)
    await tick()
    expect(framesOf(scene).map(({ length }) => length)).toEqual([64, 1])
  })

  test('is split into frames that the broker takes', async () => {
    const scene = await openScene(free)
    scene.transport.capabilities = { ...scene.transport.capabilities, maxFrameBytes: () => 400 }
    scene.transport.host.down()
    await vi.advanceTimersByTimeAsync(1_000)
    publish(scene, 20)
    await tick()
    expect(scene.transport.sent.length).toBeGreaterThan(1)
    for (const { text } of scene.transport.sent) expect(Buffer.byteLength(text)).toBeLessThanOrEqual(400)
    expect(framesOf(scene).flat()).toEqual(Array.from({ length: 20 }, (_, nth) => nth + 1))
  })

  test('fills a frame to the byte', async () => {
    const scene = await openScene(free, { nowMs: () => 0 })
    publish(scene, 2)
    await tick()
    const limit = scene.transport.sent[0]?.text.length as number
    for (const [maxBytes, frames] of [
      [limit, [[3, 4]]],
      [limit - 1, [[5], [6]]],
    ] as const) {
      scene.transport.capabilities = { ...scene.transport.capabilities, maxFrameBytes: () => maxBytes }
      scene.transport.host.down()
      await vi.advanceTimersByTimeAsync(1_000)
      scene.transport.sent.length = 0
      publish(scene, 2, frames[0]?.[0])
      await tick()
      expect(framesOf(scene)).toEqual(frames)
    }
  })

  test('is sent when its frame is as large as the broker takes, lost with a byte more', async () => {
    const scene = await openScene({ batch: false }, { nowMs: () => 0 })
    scene.stream.on('error', () => {})
    publish(scene, 1)
    const limit = scene.transport.sent[0]?.text.length as number
    for (const maxBytes of [limit, limit - 1]) {
      scene.transport.capabilities = { ...scene.transport.capabilities, maxFrameBytes: () => maxBytes }
      scene.transport.host.down()
      await vi.advanceTimersByTimeAsync(1_000)
      publish(scene, 1)
    }
    expect(framesOf(scene)).toEqual([[1], [1]])
    expect(scene.ledger).toMatchObject({ accepted: 3, lost: { failed: 1 } })
  })

  test('while the broker is away is reported as one loss a tick, whatever its frames', async () => {
    const scene = await openScene(free)
    scene.transport.capabilities = { ...scene.transport.capabilities, maxFrameBytes: () => 100 }
    scene.transport.host.down()
    await tick()
    const lost: unknown[] = []
    scene.stream.on('lost', (loss) => lost.push(loss))
    publish(scene, 5)
    await tick()
    expect(lost).toMatchObject([{ reason: 'offline', count: 5 }])
  })

  test('travels one message a frame and at once with batch false', async () => {
    const scene = await openScene({ batch: false })
    publish(scene, 3)
    expect(framesOf(scene)).toEqual([[1], [2], [3]])
  })

  test('is delivered here first', async () => {
    const scene = await openScene({ batch: false })
    const heardBefore: number[] = []
    scene.transport.send = () => {
      heardBefore.push(scene.heard.length)
      return 'sent'
    }
    publish(scene, 2)
    expect(heardBefore).toEqual([1, 2])
  })

  test('has the order of its numbers, of the local fan-out and of the wire, all one', async () => {
    const scene = await openScene(free)
    scene.stream.subscribe(({ data }) => {
      const { n } = data as { n: number }
      if (n < 100) scene.stream.publish({ n: n + 100 })
    })
    publish(scene, 90)
    await tick()
    const sent = scene.transport.frames.flatMap((frame) => frame as Sent[])
    const origin = sent[0]?.sid.slice(2, 18) as string
    expect(sent.map(({ sid }) => sid)).toEqual(sent.map((_, nth) => sidOf(origin, nth + 1)))
    expect(scene.data).toEqual(sent.map(({ data }) => data))
  })

  // RELIABILITY 55
  test('over the frame limit is delivered here and lost as failed; the rest is sent', async () => {
    const scene = await openScene(free)
    const lost: unknown[] = []
    scene.stream.on('lost', (payload) => lost.push(payload))
    scene.transport.capabilities = { ...scene.transport.capabilities, maxFrameBytes: () => 200 }
    scene.transport.host.down()
    await vi.advanceTimersByTimeAsync(1_000)
    publish(scene, 1)
    scene.stream.publish({ n: 'x'.repeat(200) })
    publish(scene, 1, 3)
    await tick()
    expect(framesOf(scene)).toEqual([[1], [3]])
    expect(scene.heard).toHaveLength(3)
    expect(lost).toMatchObject([{ reason: 'failed', count: 1 }])
    await scene.hub.flush()
    expect(scene.ledger).toMatchObject({ accepted: 3, confirmed: 2, lost: { failed: 1 } })
  })

  test('over the frame limit is an error of the stream, once, that names both sizes', async () => {
    const scene = await openScene(free)
    scene.transport.capabilities = { ...scene.transport.capabilities, maxFrameBytes: () => 200 }
    for (let nth = 0; nth < 3; nth++) scene.stream.publish({ n: 'x'.repeat(200) })
    await tick()
    expect(scene.ledger).toMatchObject({ accepted: 3, lost: { failed: 3 } })
    expect(scene.errors).toMatchObject([{ code: 'TRANSPORT_FAILED' }])
    expect(String(scene.errors[0])).toMatch(/a frame of 2\d\d bytes, the broker takes 200; lower maxBytes/)
  })

  test('is lost as failed when the transport throws, and the publisher does not see it', async () => {
    const scene = await openScene()
    scene.transport.sending = new Error('broken')
    publish(scene, 2)
    await tick()
    expect(scene.ledger).toMatchObject({ accepted: 2, inFlight: 0, lost: { failed: 2, offline: 0 } })
    expect(scene.errors).toMatchObject([{ code: 'TRANSPORT_FAILED', cause: { message: 'broken' } }])
  })

  test('is lost as offline when the transport says so', async () => {
    const scene = await openScene()
    const lost: unknown[] = []
    scene.stream.on('lost', (payload) => lost.push(payload))
    scene.transport.sending = 'offline'
    publish(scene, 2)
    await tick()
    expect(scene.ledger).toMatchObject({ accepted: 2, inFlight: 0, lost: { offline: 2 } })
    expect(lost).toMatchObject([{ reason: 'offline', count: 2 }])
  })

  test('inside a listener of lost is sent with the next frame, and leaves this one alone', async () => {
    const scene = await openScene(free)
    scene.transport.sending = 'offline'
    scene.stream.on('lost', () => {
      scene.transport.sending = 'sent'
      scene.stream.publish({ n: 99 })
    })
    publish(scene, 2)
    await tick()
    expect(framesOf(scene)).toEqual([[99]])
    expectLawful(scene.ledger)
  })

  test('before close and not sent yet is sent, and the ledger is complete', async () => {
    const scene = await openScene()
    publish(scene, 3)
    scene.stream.close()
    await tick()
    expect(framesOf(scene)).toEqual([[1, 2, 3]])
    expect(scene.hub.ledger()).toMatchObject({ accepted: 3, confirmed: 3, inFlight: 0 })
  })
})

describe('the removal of a stream', () => {
  test('goes out after everything that was published, with the next number', async () => {
    const scene = await openScene()
    const { sid } = scene.stream.publish({ n: 1 })
    scene.stream.remove()
    await tick()
    const origin = sid.slice(2, 18)
    expect(scene.transport.frames).toEqual([
      { data: { n: 1 }, sid, t: 0 },
      { removed: true, sid: sidOf(origin, 2), t: 0 },
    ])
    expect(scene.hub.ledger()).toMatchObject({ accepted: 1 })
    expectLawful(scene.hub.ledger())
  })

  test('made inside a subscriber goes out after the messages that wait for it', async () => {
    const scene = await openScene()
    scene.stream.subscribe(({ data }) => {
      if ((data as { n: number }).n > 1) return
      scene.stream.publish({ n: 2 })
      scene.stream.remove()
    })
    publish(scene, 1)
    await tick()
    expect(scene.transport.frames.flat()).toMatchObject([
      { data: { n: 1 } },
      { data: { n: 2 } },
      { removed: true },
    ])
  })

  test('goes out from a stream that never published, too', async () => {
    const scene = await openScene()
    scene.stream.remove()
    await tick()
    expect(scene.transport.frames).toMatchObject([{ removed: true }])
  })

  test('is dropped when a stream closes, expires, or was removed by another process', async () => {
    const scene = await openScene({ ttlSeconds: 1 })
    scene.hub.stream('other').close()
    const third = scene.hub.stream('third', { ttlSeconds: 0 })
    await third.subscribe(() => {}).ready
    scene.transport.host.receive(
      scene.topic.replace('scene', 'third') as typeof scene.topic,
      JSON.stringify({ removed: true, sid: wire(1).sid }),
    )
    await vi.advanceTimersByTimeAsync(1_000)
    expect([scene.stream.closed, third.closed]).toEqual([true, true])
    expect(scene.transport.sent).toEqual([])
  })
})
