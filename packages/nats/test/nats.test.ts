import type { Topic } from 'rivulet'
import { expect, test } from 'vitest'
import { expectFewTopicsKept } from '../../../test/support/adapters/many-topics.ts'
import { ALARMS, POSITIONS, rejection, shortHost, within } from '../../../test/support/adapters/waits.ts'
import { eventually } from '../../../test/support/live.ts'
import { bareClient, opened, server, transportTo } from './scene.ts'

test('carries frames from one transport to another and to no third', async () => {
  const broker = await server()
  const here = await opened(broker)
  const there = await opened(broker)
  await here.transport.join(POSITIONS, within())
  await there.transport.join(POSITIONS, within())
  await there.transport.join(ALARMS, within())
  expect(here.transport.send(POSITIONS, 'text')).toBe('sent')
  expect(here.transport.send(POSITIONS, new Uint8Array([0x62, 0x79, 0x74, 0x65, 0x73]))).toBe('sent')
  await here.transport.flush(within())
  await there.transport.flush(within())
  expect(there.host.frames).toEqual([
    { topic: POSITIONS, text: 'text' },
    { topic: POSITIONS, text: 'bytes' },
  ])
  expect(here.host.frames).toEqual([])
})

test('sees every frame sent after a join was confirmed, over and over', async () => {
  const broker = await server()
  const { transport, host } = await opened(broker)
  const client = await bareClient(broker)
  for (let round = 0; round < 200; round += 1) {
    const topic = `rivulet/fleet/round-${round}` as Topic
    await transport.join(topic, within())
    client.publish(`rivulet.fleet.round-${round}`, 'x')
  }
  await client.flush()
  await transport.flush(within())
  expect(host.frames).toHaveLength(200)
})

test('hands nothing over after a leave, of frames that came together neither', async () => {
  const broker = await server({ monitor: true })
  const host = shortHost()
  const { transport } = await opened(broker, {}, host)
  const client = await bareClient(broker)
  const before = await broker.monitor<{ subscriptions: number }>('varz')
  await transport.join(POSITIONS, within())
  const receive = host.receive.bind(host)
  host.receive = (topic, frame) => {
    receive(topic, frame)
    transport.leave(topic)
  }
  for (let index = 0; index < 10; index += 1) client.publish('rivulet.fleet.positions', String(index))
  await client.flush()
  transport.leave(ALARMS)
  await transport.flush(within())
  expect(host.frames).toEqual([{ topic: POSITIONS, text: '0' }])
  await eventually(() => broker.monitor('varz')).toMatchObject({ subscriptions: before.subscriptions })
})

test('rejects a join that is left before it is confirmed', async () => {
  const broker = await server()
  const { transport, host } = await opened(broker)
  const joining = rejection(transport.join(POSITIONS, within()))
  transport.leave(POSITIONS)
  // Nothing remains of the first one that could end the second.
  await Promise.all([transport.join(POSITIONS, within()), joining])
  expect((await joining).message).toContain('left')
  const client = await bareClient(broker)
  client.publish('rivulet.fleet.positions', 'x')
  await client.flush()
  await transport.flush(within())
  expect(host.frames).toEqual([{ topic: POSITIONS, text: 'x' }])
})

test('gives raw bytes on, a byte order mark included', async () => {
  const broker = await server()
  const frames: Uint8Array[] = []
  const host = shortHost()
  host.receive = (_topic, frame) => {
    frames.push(Uint8Array.from(frame as Uint8Array))
  }
  const { transport } = await opened(broker, {}, host)
  const client = await bareClient(broker)
  await transport.join(POSITIONS, within())
  const bytes = new Uint8Array([0xef, 0xbb, 0xbf, 0xff, 0x00, 0x7b])
  client.publish('rivulet.fleet.positions', bytes)
  client.publish('rivulet.fleet.positions', '')
  await client.flush()
  await transport.flush(within())
  expect(frames).toEqual([bytes, new Uint8Array()])
})

test('keeps reading after the host has thrown', async () => {
  const broker = await server()
  const host = shortHost()
  host.onReceive = () => {
    if (host.frames.length === 1) throw new Error('a bug of the host')
  }
  const { transport } = await opened(broker, {}, host)
  const client = await bareClient(broker)
  await transport.join(POSITIONS, within())
  client.publish('rivulet.fleet.positions', 'one')
  client.publish('rivulet.fleet.positions', 'two')
  await client.flush()
  await transport.flush(within())
  expect(host.frames.map((frame) => frame.text)).toEqual(['one', 'two'])
  expect(host.errors).toMatchObject([{ topic: POSITIONS, cause: { code: 'TRANSPORT_FAILED' } }])
  expect(host.errors[0]?.cause.message).toBe('A frame from NATS was not taken: a bug of the host.')
  expect(host.errors[0]?.cause.cause).toMatchObject({ message: 'a bug of the host' })
})

test('puts the prefix before every subject', async () => {
  const broker = await server()
  const { transport, host } = await opened(broker, { prefix: 'acme.eu-1' })
  const client = await bareClient(broker)
  const subjects: string[] = []
  client.subscribe('>', {
    callback: (_error, message) => {
      subjects.push(message.subject)
    },
  })
  await client.flush()
  await transport.join(POSITIONS, within())
  transport.send(ALARMS, 'x')
  client.publish('rivulet.fleet.positions', 'without the prefix')
  client.publish('acme.eu-1.rivulet.fleet.positions', 'with the prefix')
  await transport.flush(within())
  await client.flush()
  await transport.flush(within())
  expect(subjects.filter((subject) => subject.startsWith('acme'))).toContain('acme.eu-1.rivulet.fleet.alarms')
  expect(host.frames).toEqual([{ topic: POSITIONS, text: 'with the prefix' }])
})

test('carries the longest topic behind the longest prefix', async () => {
  const broker = await server()
  const prefix = 'p'.repeat(256)
  const topic = `rivulet/${'h'.repeat(64)}/${'%E2%82%AC'.repeat(320)}` as Topic
  const here = await opened(broker, { prefix })
  const there = await opened(broker, { prefix })
  await there.transport.join(topic, within())
  here.transport.send(topic, 'x')
  await here.transport.flush(within())
  await there.transport.flush(within())
  expect(there.host.frames).toEqual([{ topic, text: 'x' }])
})

test('names the connection for the server', async () => {
  const broker = await server({ monitor: true })
  await opened(broker, { name: 'fleet "7"\r\n' })
  await opened(broker)
  const { connections } = await broker.monitor<{ connections: { name: string }[] }>('connz')
  expect(connections.map((connection) => connection.name)).toEqual(['fleet "7"\r\n', 'rivulet'])
})

test('knows the largest frame from the server, and refuses a larger one', async () => {
  const broker = await server({ config: 'max_payload: 1000' })
  const transport = transportTo(broker)
  expect(transport.capabilities.maxFrameBytes(POSITIONS)).toBe(1_048_576)
  const host = shortHost()
  await transport.open(host, within())
  expect(transport.capabilities).toMatchObject({ scope: 'network', echoes: false, ordered: true })
  expect(transport.capabilities.maxFrameBytes(POSITIONS)).toBe(1000)
  expect(transport.send(POSITIONS, 'x'.repeat(1000))).toBe('sent')
  expect(transport.send(POSITIONS, 'x'.repeat(1001))).toBe('offline')
  await transport.flush(within())
})

test('is disconnected at a lowered limit, and has the new limit after the next open', async () => {
  const broker = await server({ monitor: true, config: 'max_payload: 1000' })
  const { transport, host } = await opened(broker)
  broker.reload('max_payload: 500')
  await eventually(async () => (await broker.monitor('varz')).max_payload).toBe(500)
  transport.send(POSITIONS, 'x'.repeat(1000))
  await eventually(() => host.downs.length).toBe(1)
  await transport.open(host, within())
  expect(transport.capabilities.maxFrameBytes(POSITIONS)).toBe(500)
})

test('remembers only some of many topics', async () => {
  const { transport } = await opened(await server())
  await expectFewTopicsKept(transport)
})
