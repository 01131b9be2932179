import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type FaultProxy, startProxy } from './fault-proxy.ts'

let server: Server
let proxy: FaultProxy
/** What each connection to the server behind the proxy has received, in the order of connecting. */
let received: string[]
let peers: Socket[]

beforeEach(async () => {
  received = []
  peers = []
  server = createServer((peer) => {
    const index = peers.push(peer) - 1
    received[index] = ''
    peer.setEncoding('latin1')
    peer.on('error', () => {})
    peer.on('data', (chunk: string) => {
      received[index] += chunk
      peer.write(chunk.toUpperCase())
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  proxy = await startProxy({ port: (server.address() as AddressInfo).port })
})

afterEach(async () => {
  await proxy.close()
  for (const peer of peers) peer.destroy()
  server.close()
})

test('passes bytes both ways', async () => {
  const client = await dial()
  client.write('hello')
  await until(() => client.read === 'HELLO')
  expect(received).toEqual(['hello'])
})

test('keeps the scheme and the credentials of the URL it stands in front of', async () => {
  const other = await startProxy({ url: 'mqtt://me:p%40ss@127.0.0.1:9/' })
  expect(other.url).toBe(`mqtt://me:p%40ss@127.0.0.1:${other.port}/`)
  await other.close()
})

test('passes the end of a connection on', async () => {
  const client = await dial()
  client.write('bye')
  await until(() => received[0] === 'bye')
  peers[0]?.end()
  await until(() => client.ended)
  client.socket.end()
  await until(() => proxy.connections === 0)
})

test('resets new connections while it refuses and lets those that stand go on', async () => {
  const standing = await dial()
  await ping(standing)
  proxy.mode = 'refuse'
  const refused = await dial()
  await until(() => refused.closed)
  await ping(standing)
  expect(peers).toHaveLength(1)
})

test('accepts but forwards nothing of a new connection while it stalls', async () => {
  const standing = await dial()
  await ping(standing)
  proxy.mode = 'stall'
  const stalled = await dial()
  stalled.write('late')
  await ping(standing)
  expect(peers).toHaveLength(1)
  expect(stalled.read).toBe('')
  proxy.mode = 'pass'
  await until(() => stalled.read === 'LATE')
})

test('drops bytes in a black hole and never passes that connection again', async () => {
  const black = await dial()
  await ping(black)
  proxy.mode = 'blackhole'
  black.write('lost')
  peers[0]?.write('lost too')
  await until(() => proxy.lostBytes === 'lost'.length + 'lost too'.length)
  proxy.mode = 'pass'
  black.write('after the hole')
  await ping(await dial())
  expect(received[0]).toBe('.')
  expect(black.read).toBe('.')
  expect(black.closed).toBe(false)
})

test('holds bytes while frozen and hands them over once, in order, when thawed', async () => {
  const client = await dial()
  await ping(client)
  for (let round = 0; round < 3; round++) {
    proxy.mode = 'freeze'
    const before = client.read
    for (let i = 0; i < 1000; i++) client.write(`${round}:${i};`)
    const fresh = await dial()
    fresh.write('x')
    await new Promise((resolve) => setTimeout(resolve, 20))
    expect(client.read).toBe(before)
    proxy.mode = 'pass'
    await until(() => client.read.endsWith(`${round}:999;`))
    await until(() => fresh.read === 'X')
  }
  const expected = [0, 1, 2].flatMap((round) => Array.from({ length: 1000 }, (_, i) => `${round}:${i};`))
  expect(received[0]).toBe(`.${expected.join('')}`)
  expect(client.read).toBe(`.${expected.join('')}`)
})

test('buffers bytes while unplugged and hands them over once, in order', async () => {
  const [client, closing] = [await dial(), await dial()]
  await ping(client)
  await ping(closing)
  proxy.mode = 'unplug'
  const expected = Array.from({ length: 1000 }, (_, i) => `${i};`).join('')
  for (let i = 0; i < 1000; i++) client.write(`${i};`)
  closing.write('left behind')
  closing.socket.destroySoon()
  await until(() => closing.closed)
  await ping(await dialDirectly())
  await until(() => proxy.waitingBytes === expected.length + 'left behind'.length)
  expect(received.slice(0, 2)).toEqual(['.', '.'])
  proxy.mode = 'pass'
  await until(() => client.read === `.${expected}`)
  await until(() => received[1] === '.left behind')
  expect(received[0]).toBe(`.${expected}`)
})

test('drops what waited while unplugged when its sender resets the connection', async () => {
  const client = await dial()
  await ping(client)
  proxy.mode = 'unplug'
  client.write('taken back')
  client.socket.resetAndDestroy()
  await until(() => client.closed)
  await ping(await dialDirectly())
  expect(proxy.waitingBytes).toBe(0)
  expect(peers[0]?.destroyed).toBe(false)
  proxy.mode = 'pass'
  await until(() => peers[0]?.destroyed === true)
  await ping(await dial())
  expect(received[0]).toBe('.')
})

test('stays frozen when the receiver drains what was under way', async () => {
  const bytes = 32 << 20 // more than the kernel's buffers take
  const client = await dial()
  await ping(client)
  peers[0]?.pause()
  client.socket.write(Buffer.alloc(bytes, 'a'))
  await until(() => client.socket.bytesWritten > 1 << 20)
  proxy.mode = 'freeze'
  peers[0]?.resume()
  await new Promise((resolve) => setTimeout(resolve, 50))
  expect(received[0]?.length).toBeLessThan(bytes)
  proxy.mode = 'pass'
  await until(() => client.read.length === bytes + 1)
})

test('cuts the current connections of both sides and accepts new ones', async () => {
  const first = await dial()
  await ping(first)
  proxy.drop()
  await until(() => first.closed && peers[0]?.destroyed === true)
  expect(proxy.connections).toBe(0)
  await ping(await dial())
  expect(proxy.accepted).toBe(2)
})

test('resets a client when nothing listens behind it', async () => {
  const port = proxy.port
  server.close()
  const client = await dial()
  await until(() => client.closed)
  expect(proxy.port).toBe(port)
})

test('closes more than once, with connections standing', async () => {
  const client = await dial()
  await ping(client)
  await Promise.all([proxy.close(), proxy.close()])
  await until(() => client.closed)
  await proxy.close()
})

test('passes the bytes of a slow link in their order, its end last', async () => {
  const { port } = server.address() as AddressInfo
  const slow = await startProxy({ port }, { uplinkBytesPerSecond: 400_000, roundTripMs: 20 })
  const client = await dialPort(slow.port)
  const text = Array.from({ length: 20_000 }, (_, nth) => `${nth},`).join('')
  client.write(text)
  await until(() => client.read.length === text.length)
  expect(received).toEqual([text])
  peers[0]?.end('bye')
  await until(() => client.ended)
  expect(client.read).toBe(`${text}bye`)
  await slow.close()
})

test('holds back what a slow link does not take, and what is frozen behind it', async () => {
  const { port } = server.address() as AddressInfo
  const slow = await startProxy({ port }, { uplinkBytesPerSecond: 100_000, roundTripMs: 20 })
  const client = await dialPort(slow.port)
  client.write('a'.repeat(200_000))
  await until(() => (received[0]?.length ?? 0) > 0)
  expect(received[0]?.length).toBeLessThan(200_000)
  slow.mode = 'freeze'
  slow.drop()
  await until(() => client.closed)
  const atEnd = received[0]?.length
  await ping(await dial())
  expect(received[0]?.length).toBe(atEnd)
  await slow.close()
})

class Client {
  read = ''
  ended = false
  closed = false
  readonly socket: Socket

  constructor(socket: Socket) {
    this.socket = socket
    socket.setEncoding('latin1')
    socket.on('data', (chunk: string) => {
      this.read += chunk
    })
    socket.on('end', () => {
      this.ended = true
    })
    socket.on('error', () => {})
    socket.on('close', () => {
      this.closed = true
    })
  }

  write(text: string): void {
    this.socket.write(text)
  }
}

function dial(): Promise<Client> {
  return dialPort(proxy.port)
}

/** Connects past the proxy. */
function dialDirectly(): Promise<Client> {
  return dialPort((server.address() as AddressInfo).port)
}

async function dialPort(port: number): Promise<Client> {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
  const client = new Client(socket)
  // A refused connection may be reset before this side has seen it stand.
  await until(() => !socket.connecting)
  return client
}

/** Sends a byte to and fro: what went the same way before has arrived. */
async function ping(client: Client): Promise<void> {
  const length = client.read.length
  client.write('.')
  await until(() => client.read.length > length)
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 2))
}
