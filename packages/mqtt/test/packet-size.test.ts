import { createHub, type Topic } from 'rivulet'
import { expect, onTestFinished, test } from 'vitest'
import { endless } from '../../../test/support/adapters/waits.ts'
import { type Broker, startMosquitto } from '../../../test/support/brokers.ts'
import type { MqttOptions } from '../src/index.ts'
import { closeAll, make, open, topicOf, until } from './open.ts'
import { ScriptedBroker } from './scripted-broker.ts'

const TOPIC = 'rivulet/default/edge' as Topic

/** Starts a mosquitto that accepts packets up to a size. */
async function limited(maxPacketBytes: number): Promise<Broker> {
  const broker = await startMosquitto({ config: `max_packet_size ${maxPacketBytes}` })
  onTestFinished(async () => {
    await closeAll()
    await broker.close()
  })
  return broker
}

/** Opens a hub whose frames have a fixed size for each size of data: its clock is stopped. */
function openEdge(options: MqttOptions) {
  const transport = make(options)
  const hub = createHub({ transport, nowMs: () => 0, streamDefaults: { maxBytes: 65_536 } })
  onTestFinished(async () => void (await hub.close()))
  const statuses: unknown[] = []
  hub.on('status', (status) => statuses.push(status))
  const stream = hub.stream('edge')
  stream.on('error', () => {})
  const publish = (length: number) => stream.publish({ text: 'x'.repeat(length) })
  return { hub, stream, publish, statuses, maxFrameBytes: () => transport.capabilities.maxFrameBytes(TOPIC) }
}

// Between them the remaining length takes one more byte.
test.each([
  { limit: 260, prefix: undefined, largest: 234 },
  { limit: 5_000, prefix: undefined, largest: 4_974 },
  { limit: 5_000, prefix: 'sité/€', largest: 4_964 },
  { limit: 16_386, prefix: 'a', largest: 16_358 },
  { limit: 16_387, prefix: 'a', largest: 16_358 },
  { limit: 16_388, prefix: 'a', largest: 16_359 },
])('the largest frame for $limit bytes under $prefix arrives, one byte more is lost', async (given) => {
  const { url } = await limited(given.limit)
  const options = given.prefix === undefined ? { url } : { url, prefix: given.prefix }
  const { transport: receiver, host } = await open(options)
  await receiver.join(TOPIC, endless)
  const { hub, stream, publish, statuses, maxFrameBytes } = openEdge(options)
  await hub.ready()
  statuses.length = 0
  expect(maxFrameBytes()).toBe(given.largest)
  publish(0)
  await until(() => host.frames.length === 1)
  const sizes = () => host.bytes(TOPIC).map(({ length }) => length)
  const [smallest = 0] = sizes()
  const room = maxFrameBytes() - smallest
  publish(room)
  await hub.flush()
  publish(room + 1)
  await hub.flush()
  publish(0)
  await hub.flush()
  await until(() => host.frames.length === 3)
  expect(sizes()).toEqual([smallest, maxFrameBytes(), smallest])
  expect(stream.ledger()).toMatchObject({ confirmed: 3, lost: { failed: 1, offline: 0 } })
  expect(statuses).toEqual([])
})

test.each([
  [129, 129],
  [130, 129],
  [131, 131],
  [16_386, 16_386],
  [16_387, 16_386],
  [16_388, 16_388],
  [2_097_155, 2_097_155],
  [2_097_156, 2_097_155],
  [2_097_157, 2_097_157],
])('to a broker that takes %i bytes the largest frame makes a packet of %i', async (limit, largest) => {
  const broker = await ScriptedBroker.start()
  broker.maxPacketBytes = limit
  const { transport } = await open({ url: broker.url, prefix: 'é' })
  const topic = topicOf('€')
  const most = transport.capabilities.maxFrameBytes(topic)
  expect(transport.send(topic, new Uint8Array(most + 1))).toBe('offline')
  expect(transport.send(topic, new Uint8Array(most))).toBe('sent')
  await until(() => broker.published.length === 1)
  expect(broker.published[0]?.length).toBe(largest)
  await closeAll()
  broker.close()
})

test('a name is joined up to the largest SUBSCRIBE, and rejected locally beyond it', async () => {
  const broker = await ScriptedBroker.start()
  broker.maxPacketBytes = 127
  const { transport } = await open({ url: broker.url })
  // Type, remaining length, id, properties with the subscription identifier, length of the name, options.
  const longest = 'n'.repeat(127 - 1 - 1 - 2 - (1 + 2) - 2 - 1) as Topic
  await transport.join(longest, endless)
  expect(broker.packets.at(-1)?.length).toBe(127)
  await expect(transport.join(`${longest}n` as Topic, endless)).rejects.toMatchObject({
    code: 'TRANSPORT_FAILED',
    message: expect.stringContaining('the name alone is larger than the packets that it takes'),
  })
  expect(broker.subscriptions).toEqual([longest])
  await closeAll()
  broker.close()
})

test('maxPacketBytes replaces the limit that a 3.1.1 broker does not announce', async () => {
  const { url } = await limited(1_000)
  const options = { url, protocol: 4, maxPacketBytes: 1_000 } as const
  const { hub, stream, publish, statuses, maxFrameBytes } = openEdge(options)
  await hub.ready()
  statuses.length = 0
  expect(maxFrameBytes()).toBe(1_000 - 1 - 2 - 2 - TOPIC.length)
  for (let second = 0; second < 5; second++) {
    publish(1_000)
    publish(10)
    await hub.flush()
  }
  expect(statuses).toEqual([])
  expect(stream.ledger()).toMatchObject({ confirmed: 5, lost: { failed: 5, offline: 0 }, unconfirmed: 0 })
})

test("the smaller of maxPacketBytes and the broker's limit applies", async () => {
  const { url } = await limited(1_000)
  const most = async (maxPacketBytes: number) => {
    const { transport } = await open({ url, maxPacketBytes })
    return transport.capabilities.maxFrameBytes(TOPIC)
  }
  expect((await most(5_000)) - (await most(900))).toBe(100)
  expect(await most(1_000)).toBe(await most(5_000))
})
