import type { Topic } from 'rivulet'
import { describe, expect, test } from 'vitest'
import { ALARMS, POSITIONS, rejection, shortHost, within } from '../../../test/support/adapters/waits.ts'
import { eventually } from '../../../test/support/live.ts'
import { REDIS_PROGRAMS, redisCommand, unixSocketOf } from '../../../test/support/redis-servers.ts'
import { transportFromUrls } from '../src/index.ts'
import { bareClient, opened, server } from './scene.ts'

test('publishes and subscribes over one connection, and receives its own frames', async () => {
  const broker = await server()
  const here = await opened(broker, { name: 'here' })
  const there = await opened(broker)
  await here.transport.join(POSITIONS, within())
  await there.transport.join(POSITIONS, within())
  await there.transport.join(ALARMS, within())
  expect(here.transport.send(POSITIONS, 'text')).toBe('sent')
  expect(here.transport.send(POSITIONS, new Uint8Array([0x62, 0x79, 0x74, 0x65, 0x73]))).toBe('sent')
  await here.transport.flush(within())
  await there.transport.flush(within())
  const frames = ['text', 'bytes'].map((text) => ({ topic: POSITIONS, text }))
  expect([here.host.frames, there.host.frames]).toEqual([frames, frames])
  const clients = await redisCommand(broker, 'CLIENT', 'LIST')
  expect(clients.match(/ name=(here|rivulet) /g)).toEqual([' name=here ', ' name=rivulet '])
  expect(clients.match(/ resp=3 /g)).toHaveLength(2)
})

test('sees every frame sent after a join was confirmed, over and over', async () => {
  const broker = await server()
  const { transport, host } = await opened(broker)
  const client = await bareClient(broker)
  for (let round = 0; round < 200; round += 1) {
    const topic = `rivulet/fleet/round-${round}` as Topic
    await transport.join(topic, within())
    void client.publish(topic, 'x')
  }
  await client.ping()
  await transport.flush(within())
  expect(host.frames).toHaveLength(200)
})

test('hands nothing over after a leave, of frames that came together neither', async () => {
  const broker = await server()
  const host = shortHost()
  const { transport } = await opened(broker, {}, host)
  const client = await bareClient(broker)
  await transport.join(POSITIONS, within())
  const receive = host.receive.bind(host)
  host.receive = (topic, frame) => {
    receive(topic, frame)
    transport.leave(topic)
  }
  await Promise.all(Array.from({ length: 10 }, (_, index) => client.publish(POSITIONS, String(index))))
  transport.leave(ALARMS)
  await transport.flush(within())
  expect(host.frames).toEqual([{ topic: POSITIONS, text: '0' }])
  expect(await redisCommand(broker, 'PUBSUB', 'NUMSUB', POSITIONS)).toMatch(/\n0$/)
})

test('rejects a join that is left before it is confirmed, and joins again at once', async () => {
  const broker = await server()
  const { transport, host } = await opened(broker)
  const joining = rejection(transport.join(POSITIONS, within()))
  transport.leave(POSITIONS)
  const again = transport.join(POSITIONS, within())
  expect((await joining).message).toContain('left')
  await again
  transport.send(POSITIONS, 'x')
  await transport.flush(within())
  expect(host.frames).toHaveLength(1)
})

test('gives up a join and a flush when their signals abort, and leaves nothing behind', async () => {
  const broker = await server()
  const { transport, host } = await opened(broker)
  await broker.stop()
  const reason = new Error('no longer')
  const control = new AbortController()
  const waiting = [transport.join(POSITIONS, control.signal), transport.flush(control.signal)].map(rejection)
  control.abort(reason)
  expect(await Promise.all(waiting)).toEqual([reason, reason])
  broker.cont()
  await transport.flush(within())
  expect(await redisCommand(broker, 'PUBSUB', 'CHANNELS')).toBe('')
  expect(host.downs).toEqual([])
})

test('gives raw bytes on, and takes them from the view that it is given', async () => {
  const broker = await server()
  const frames: Uint8Array[] = []
  const host = shortHost()
  host.receive = (_topic, frame) => {
    frames.push(Uint8Array.from(frame as Uint8Array))
  }
  const { transport } = await opened(broker, {}, host)
  await transport.join(POSITIONS, within())
  const bytes = new Uint8Array([0xef, 0xbb, 0xbf, 0xff, 0x00, 0x0d, 0x0a, 0x7b])
  transport.send(POSITIONS, bytes)
  transport.send(POSITIONS, bytes.subarray(2, 4))
  transport.send(POSITIONS, '')
  transport.send(POSITIONS, '\ufeffé\r\n*1\r\n$4\r\nQUIT\r\n')
  await transport.flush(within())
  const text = new TextEncoder().encode('\ufeffé\r\n*1\r\n$4\r\nQUIT\r\n')
  expect(frames).toEqual(
    [bytes, bytes.subarray(2, 4), new Uint8Array(), text].map((frame) => Uint8Array.from(frame)),
  )
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
  await Promise.all(['one', 'two', 'three'].map((text) => client.publish(POSITIONS, text)))
  await transport.flush(within())
  expect(host.frames.map((frame) => frame.text)).toEqual(['one', 'two', 'three'])
  expect(host.errors).toMatchObject([{ topic: POSITIONS, cause: { code: 'TRANSPORT_FAILED' } }])
  expect(host.errors[0]?.cause.message).toBe('A frame from Redis was not taken: a bug of the host.')
  expect(host.errors[0]?.cause.cause).toMatchObject({ message: 'a bug of the host' })
  expect(host.downs).toEqual([])
})

test('names no largest frame, and carries one that is far above those of the core', async () => {
  const broker = await server({ config: 'proto-max-bulk-len 1mb' })
  const { transport, host } = await opened(broker)
  expect(transport.capabilities).toMatchObject({ scope: 'network', echoes: true, ordered: true })
  expect(transport.capabilities.maxFrameBytes(POSITIONS)).toBe(Infinity)
  await transport.join(POSITIONS, within())
  // The smallest limit that the server accepts; a frame of the core has 256 KiB at most.
  transport.send(POSITIONS, 'x'.repeat(1_048_576))
  await transport.flush(within())
  expect(host.frames[0]?.text).toHaveLength(1_048_576)
  expect(
    await rejection(redisCommand(broker, 'CONFIG', 'SET', 'proto-max-bulk-len', '1048575')),
  ).toBeDefined()
})

describe('sharded channels', () => {
  test.each(REDIS_PROGRAMS)('are apart from the others on %s', async (kind) => {
    const broker = await server({ server: kind })
    const here = await opened(broker, { sharded: true })
    const there = await opened(broker, { sharded: true })
    const plain = await opened(broker)
    for (const { transport } of [here, there, plain]) await transport.join(POSITIONS, within())
    here.transport.send(POSITIONS, 'sharded')
    plain.transport.send(POSITIONS, 'plain')
    for (const { transport } of [here, plain]) await transport.flush(within())
    await there.transport.flush(within())
    const texts = [here, there, plain].map(({ host }) => host.frames.map(({ text }) => text))
    expect(texts).toEqual([['sharded'], ['sharded'], ['plain']])
    there.transport.leave(POSITIONS)
    await there.transport.flush(within())
    expect(await redisCommand(broker, 'PUBSUB', 'SHARDNUMSUB', POSITIONS)).toMatch(/\n1$/)
  })
})

test('connects over a Unix socket, by an option and by a URL', async () => {
  const config = (folder: string) => `unixsocket ${unixSocketOf(folder)}`
  const broker = await server({ config })
  const path = unixSocketOf(broker.folder)
  const byOption = await opened(broker, { path })
  const byUrl = transportFromUrls([`redis://localhost?path=${encodeURIComponent(path)}`])
  await byUrl.open(shortHost(), within())
  await byOption.transport.join(POSITIONS, within())
  byUrl.send(POSITIONS, 'x')
  await byUrl.close(within())
  await byOption.transport.flush(within())
  expect(byOption.host.frames).toEqual([{ topic: POSITIONS, text: 'x' }])
  await broker.kill()
  await eventually(() => byOption.host.downs.length).toBe(1)
  const error = await rejection(byOption.transport.open(shortHost(), within()))
  expect(error).toMatchObject({ code: 'TRANSPORT_UNAVAILABLE', message: expect.stringContaining(path) })
})

test('carries frames between two databases', async () => {
  const broker = await server()
  const { transport, host } = await opened(broker)
  await transport.join(POSITIONS, within())
  const elsewhere = await bareClient(broker, { url: `${broker.url}/3` })
  await elsewhere.publish(POSITIONS, 'x')
  await transport.flush(within())
  expect(host.frames).toHaveLength(1)
})

test('receives a topic that is left and joined again between the answers to both', async () => {
  const broker = await server()
  const { transport, host } = await opened(broker)
  const topics = Array.from({ length: 3_000 }, (_, index) => `rivulet/fleet/topic-${index}` as Topic)
  const left = topics.map((topic) => transport.join(topic, within()).catch(() => {}))
  for (const topic of topics) transport.leave(topic)
  // By now the answers to the first joins have arrived, those to the leaves, after all joins, have not.
  await left[0]
  await Promise.all(topics.map((topic) => transport.join(topic, within())))
  for (const topic of topics) transport.send(topic, 'x')
  await transport.flush(within())
  const heard = new Set(host.frames.map(({ topic }) => topic))
  expect(topics.filter((topic) => !heard.has(topic))).toHaveLength(0)
  for (const topic of topics) transport.leave(topic)
  await eventually(() => redisCommand(broker, 'CLIENT', 'LIST')).not.toMatch(/ sub=[1-9]/)
})
