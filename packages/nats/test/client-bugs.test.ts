import { createServer } from 'node:net'
import { connect } from '@nats-io/transport-node'
import { expect, onTestFinished, test, vi } from 'vitest'
import { listening, proxyTo } from '../../../test/support/adapters/scene.ts'
import { rejection } from '../../../test/support/adapters/waits.ts'
import { Authority } from '../../../test/support/certificates.ts'
import { eventually } from '../../../test/support/live.ts'
import { bareClient, server } from './scene.ts'

// Each test shows the reason for a workaround in the adapter. When one fails the client was repaired: remove the test
// and the workaround.

test('the bare client leaves the socket of a dial that timed out', async () => {
  const { address, sockets } = await listening(createServer())
  await rejection(connect({ servers: address, timeout: 50, reconnect: false }))
  await eventually(() => sockets.size).toBe(1)
  for (let turn = 0; turn < 20; turn += 1) await new Promise(setImmediate)
  expect(sockets.size).toBe(1)
})

test('the bare client checks "localhost" in place of an address', async () => {
  const authority = new Authority()
  onTestFinished(() => authority.close())
  const broker = await server({ tls: authority.issue('DNS:localhost') })
  const client = await bareClient(broker, { tls: { ca: authority.ca } })
  expect(client.isClosed()).toBe(false)
})

test('the bare client stops reading for good after a callback has thrown', async () => {
  const broker = await server()
  const client = await bareClient(broker)
  const other = await bareClient(broker)
  // Its output is the only sign of it.
  const printed = vi.spyOn(console, 'log').mockImplementation(() => {})
  onTestFinished(() => printed.mockRestore())
  let heard = 0
  client.subscribe('x', {
    callback: () => {
      heard += 1
      throw new Error('thrown by a callback')
    },
  })
  await client.flush()
  other.publish('x')
  other.publish('x')
  await other.flush()
  const answered = await Promise.race([client.flush().then(() => true), pause(500).then(() => false)])
  expect(answered).toBe(false)
  expect(heard).toBe(1)
})

test('the bare client never settles a flush that its connection did not survive', async () => {
  const broker = await server()
  const client = await bareClient(broker)
  await broker.stop()
  let settled = false
  const settle = () => {
    settled = true
  }
  client.flush().then(settle, settle)
  await broker.kill()
  await client.closed()
  for (let turn = 0; turn < 20; turn += 1) await new Promise(setImmediate)
  expect(settled).toBe(false)
})

test('the bare client sends its buffer after it has closed', async () => {
  const broker = await server()
  const proxy = await proxyTo(broker)
  const heard: string[] = []
  const receiver = await bareClient(broker)
  receiver.subscribe('x', { callback: (_error, message) => void heard.push(message.string()) })
  await receiver.flush()
  const client = await connect({ servers: `127.0.0.1:${proxy.port}`, reconnect: false })
  proxy.mode = 'unplug'
  client.publish('x', 'late')
  await eventually(() => proxy.waitingBytes).toBeGreaterThan(0)
  await client.close()
  proxy.mode = 'pass'
  await eventually(() => heard).toEqual(['late'])
})

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
