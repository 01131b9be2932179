import { createServer } from 'node:net'
import { createClient } from '@redis/client'
import { expect, onTestFinished, test } from 'vitest'
import { listening, proxyTo } from '../../../test/support/adapters/scene.ts'
import { eventually } from '../../../test/support/live.ts'
import { bareClient, server } from './scene.ts'

// Each test shows the reason for a workaround in the adapter. When one fails the client was repaired: remove the test
// and the workaround.

test('the bare client loses the bytes after a message whose listener throws', async () => {
  const broker = await server()
  const client = await bareClient(broker)
  const other = await bareClient(broker)
  const heard: string[] = []
  await client.subscribe('x', (text) => {
    heard.push(text)
    if (text === '0') throw new Error('thrown by a listener')
  })
  // The server writes the messages of one transaction at once.
  const burst = other.multi()
  for (let index = 0; index < 10; index += 1) burst.publish('x', String(index))
  await burst.exec()
  await other.publish('x', 'last')
  await eventually(() => heard.at(-1)).toBe('last')
  expect(heard).toEqual(['0', 'last'])
})

test('the bare client by default delivers messages of an outage after it', async () => {
  const broker = await server()
  const proxy = await proxyTo(broker)
  const heard: string[] = []
  const receiver = await bareClient(broker)
  await receiver.subscribe('x', (text) => heard.push(text))
  const client = await bareClient(broker, { url: proxy.url })
  proxy.mode = 'refuse'
  proxy.drop()
  await eventually(() => client.isReady).toBe(false)
  const publishing = Array.from({ length: 20 }, (_, index) => client.publish('x', String(index)))
  proxy.mode = 'pass'
  await Promise.all(publishing)
  await eventually(() => heard).toHaveLength(20)
})

test('the bare client never settles a subscription after its connection has ended', async () => {
  const broker = await server()
  const client = await bareClient(broker, { disableOfflineQueue: true, socket: { reconnectStrategy: false } })
  await broker.kill()
  await eventually(() => client.isOpen).toBe(false)
  let settled = false
  const settle = () => {
    settled = true
  }
  client.subscribe('x', () => {}).then(settle, settle)
  for (let turn = 0; turn < 20; turn += 1) await new Promise(setImmediate)
  expect(settled).toBe(false)
})

test('the bare client leaves the socket of a dial that is given up', async () => {
  const { address, sockets } = await listening(createServer())
  const client = createClient({ url: `redis://${address}`, socket: { reconnectStrategy: false } })
  client.on('error', () => {})
  client.connect().catch(() => {})
  client.destroy()
  await eventually(() => sockets.size).toBe(1)
  for (let turn = 0; turn < 20; turn += 1) await new Promise(setImmediate)
  expect(sockets.size).toBe(1)
})

test('the bare client waits for ever for the answer to its first command', async () => {
  const broker = await server()
  await broker.stop()
  const client = createClient({
    url: broker.url,
    // Long enough to connect on a busy machine; the answer takes longer than both.
    socket: { connectTimeout: 1_000, reconnectStrategy: false },
    commandOptions: { timeout: 50 },
  })
  client.on('error', () => {})
  onTestFinished(() => client.destroy())
  const settled = Promise.race([
    client.connect().then(
      () => true,
      () => true,
    ),
    new Promise((resolve) => setTimeout(resolve, 1_500, false)),
  ])
  expect(await settled).toBe(false)
})

test('the bare client continues after bytes that are no Redis protocol', async () => {
  const nonsense = createServer((socket) => {
    socket.once('data', () => {
      socket.write('%0\r\n')
      setImmediate(() => socket.write('HTTP/1.1 400 Bad Request\r\n\r\n'))
    })
  })
  const { address } = await listening(nonsense)
  const settings = { disableClientInfo: true, maintNotifications: 'disabled' } as const
  const client = createClient({
    ...settings,
    url: `redis://${address}`,
    socket: { reconnectStrategy: false },
  })
  const errors: Error[] = []
  client.on('error', (error) => errors.push(error))
  await client.connect()
  onTestFinished(() => client.destroy())
  await eventually(() => errors.length).toBe(1)
  expect(client.isReady).toBe(true)
})

test('the bare client sends its buffer after it has been destroyed', async () => {
  const broker = await server()
  const proxy = await proxyTo(broker)
  const heard: string[] = []
  const receiver = await bareClient(broker)
  await receiver.subscribe('x', (text) => heard.push(text))
  const client = createClient({ url: proxy.url })
  client.on('error', () => {})
  await client.connect()
  proxy.mode = 'unplug'
  client.publish('x', 'late').catch(() => {})
  await eventually(() => proxy.waitingBytes).toBeGreaterThan(0)
  client.destroy()
  proxy.mode = 'pass'
  await eventually(() => heard).toEqual(['late'])
})

test('the bare client destroyed while it reads begins to read the same bytes again', async () => {
  const broker = await server()
  const client = await bareClient(broker)
  const heard: string[] = []
  await client.subscribe('x', (text) => {
    heard.push(text)
    if (heard.length === 1) client.destroy()
  })
  const other = await bareClient(broker)
  await other.publish('x', 'once')
  await eventually(() => heard).toEqual(['once', 'once'])
})

test('the bare client loses a channel that is subscribed to again between two answers', async () => {
  const broker = await server()
  const client = await bareClient(broker)
  const channels = Array.from({ length: 3_000 }, (_, index) => `channel-${index}`)
  const heard = new Set<string>()
  const one = () => {}
  const other = (_: string, channel: string) => heard.add(channel)
  const first = channels.map((channel) => client.subscribe(channel, one))
  const second = channels.map((channel) => client.unsubscribe(channel, one))
  await first[0]
  await Promise.all([...second, ...channels.map((channel) => client.subscribe(channel, other))])
  await Promise.all(channels.map((channel) => client.publish(channel, 'x')))
  expect(heard.size).toBeLessThan(channels.length)
})
