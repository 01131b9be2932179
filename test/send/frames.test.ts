import { memoryBus } from '@rivulet/memory'
import { createHub, type StreamOptions, type Topic } from 'rivulet'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { openScene, tick } from '../support/remote-scene.ts'
import { ScriptedTransport } from '../support/scripted-transport.ts'

beforeEach(() => vi.useFakeTimers())
afterEach(() => vi.useRealTimers())

const large = { limit: false, maxBytes: 65_536 } as const
const KIB = 1024

/** A publisher and a receiver on one bus, each with options of its own. */
async function openPair(source: StreamOptions, target: StreamOptions) {
  const bus = memoryBus()
  const hubs = [createHub({ transport: bus.transport() }), createHub({ transport: bus.transport() })] as const
  for (const hub of hubs) {
    hub.on('error', () => {})
    await hub.ready()
  }
  const publisher = hubs[0].stream<{ text: string }>('news', source)
  const receiver = hubs[1].stream<{ text: string }>('news', target)
  const heard: number[] = []
  await receiver.subscribe(({ data }) => heard.push(data.text.length)).ready
  return { bus, publisher, receiver, heard }
}

describe('a frame', () => {
  test('with one message too large for a receiver costs it only that one', async () => {
    const { bus, publisher, receiver, heard } = await openPair(large, { limit: false })
    for (const length of [10, 4_000, 20_000, 4_000, 10]) publisher.publish({ text: 'x'.repeat(length) })
    await tick()
    expect(bus.counts().sent).toBe(1)
    expect(heard).toEqual([10, 4_000, 4_000, 10])
    expect(receiver.ledger()).toMatchObject({
      received: 5,
      delivered: 4,
      missed: 0,
      dropped: { tooLarge: 1 },
    })
  })

  test('of 64 of the largest messages is split, and every one arrives', async () => {
    const { bus, publisher, receiver, heard } = await openPair(large, large)
    for (let count = 0; count < 64; count++) publisher.publish({ text: 'é'.repeat(32_760) })
    await tick()
    expect(bus.counts().sent).toBeGreaterThan(15)
    expect(heard).toHaveLength(64)
    expect(receiver.ledger()).toMatchObject({ received: 64, delivered: 64, reordered: 0 })
  })

  test('has 256 KiB at the most, whatever the broker would take', async () => {
    const scene = await openScene(large)
    for (let n = 0; n < 64; n++) scene.stream.publish({ n, text: 'x'.repeat(10_000 + n * 300) })
    await tick()
    const sizes = scene.transport.sent.map(({ text }) => Buffer.byteLength(text))
    expect(sizes.length).toBeGreaterThan(4)
    expect(Math.max(...sizes)).toBeLessThanOrEqual(256 * KIB)
    const numbers = scene.transport.frames
      .flat()
      .map((message) => (message as { data: { n: number } }).data.n)
    expect(numbers).toEqual(Array.from({ length: 64 }, (_, n) => n))
  })

  test('is as large as the broker takes on its topic: each topic is asked for', async () => {
    const transport = new ScriptedTransport()
    const asked = new Set<Topic>()
    const limitOf = (topic: Topic) => (topic.length > 50 ? 150 : 1_000)
    transport.capabilities = {
      ...transport.capabilities,
      maxFrameBytes: (topic) => {
        asked.add(topic)
        return limitOf(topic)
      },
    }
    const hub = createHub({ transport })
    await hub.ready()
    const names = ['a', 'b'.repeat(60)] as const
    for (const name of names) for (let n = 0; n < 20; n++) hub.stream(name).publish({ n })
    await tick()
    expect([...asked]).toEqual(names.map((name) => `rivulet/default/${name}`))
    for (const { topic, text } of transport.sent) expect(text.length).toBeLessThanOrEqual(limitOf(topic))
    const [short, long] = names.map((name) =>
      transport.sent.filter(({ topic }) => topic.endsWith(`/${name}`)),
    )
    expect(short?.length).toBeLessThan(long?.length as number)
    expect(hub.ledger()).toMatchObject({ accepted: 40, lost: { failed: 0 } })
  })

  test('is lost as failed, and the others are sent, when the transport throws', async () => {
    const transport = new ScriptedTransport()
    const { maxFrameBytes } = transport.capabilities
    transport.capabilities = {
      ...transport.capabilities,
      maxFrameBytes: (topic) => {
        if (topic.endsWith('/a')) throw new Error('no limit')
        return maxFrameBytes(topic)
      },
    }
    const hub = createHub({ transport })
    const errors: unknown[] = []
    hub.on('error', (error) => errors.push(error))
    await hub.ready()
    const [a, b] = [hub.stream('a'), hub.stream('b')]
    for (const stream of [a, b]) for (let n = 0; n < 2; n++) stream.publish({ n })
    await tick()
    expect(a.ledger()).toMatchObject({ accepted: 2, lost: { failed: 2 }, inFlight: 0 })
    expect(b.ledger()).toMatchObject({ accepted: 2, confirmed: 2 })
    expect(errors).toContainEqual(expect.objectContaining({ code: 'TRANSPORT_FAILED', stream: 'a' }))
  })
})
