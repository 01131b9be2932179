import { once } from 'node:events'
import { createServer } from 'node:http'
import { type AddressInfo, createServer as createTcpServer, type Socket } from 'node:net'
import { createHub } from 'rivulet'
import { expect, onTestFinished, test, vi } from 'vitest'
import { WebSocket, WebSocketServer } from 'ws'
import { eventually, makeLive } from '../../../../test/support/live.ts'
import { topicOf } from '../../../gateway/test/support/frames.ts'
import { HUB, serve } from '../../../gateway/test/support/scene.ts'
import { encodeText, encodeTopical, KIND } from '../../src/base/protocol.ts'
import { transportFromUrls, websocket } from '../../src/index.ts'

const TOPIC = topicOf('positions') as never
const PREFIXES = ['0123456789ab', 'ba9876543210']
const WELCOME = encodeText(
  KIND.welcome,
  JSON.stringify({ version: 1, maxFrameBytes: 5_000, ordered: true, prefixes: PREFIXES }),
)

/** A server by hand, which says that to whoever comes. */
async function serveByHand(greet: (socket: WebSocket) => void) {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' })
  await once(server, 'listening')
  const received: Buffer[] = []
  server.on('connection', (socket) => {
    socket.on('message', (data: Buffer) => received.push(data))
    socket.on('error', () => {})
    greet(socket)
  })
  onTestFinished(() => {
    for (const socket of server.clients) socket.terminate()
    server.close()
  })
  return { url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}`, server, received }
}

function host() {
  return { hub: HUB, receive: vi.fn(), watched: vi.fn(), down: vi.fn(), error: vi.fn(), left: vi.fn() }
}

test.each([
  ['a text', (socket: WebSocket) => socket.send('hello')],
  ['bytes of another protocol', (socket: WebSocket) => socket.send(Buffer.from([0xff, 1, 2]))],
  ['a frame before the welcome', (socket: WebSocket) => socket.send(encodeTopical(KIND.frame, 'x', 'y'))],
  [
    'a welcome of another version',
    (socket: WebSocket) => socket.send(encodeText(KIND.welcome, '{"version":2}')),
  ],
  [
    'a welcome without a limit',
    (socket: WebSocket) => socket.send(encodeText(KIND.welcome, '{"version":1}')),
  ],
  [
    'a welcome without prefixes',
    (socket: WebSocket) => socket.send(encodeText(KIND.welcome, '{"version":1,"maxFrameBytes":5000}')),
  ],
  [
    'a welcome with prefixes of another form',
    (socket: WebSocket) =>
      socket.send(encodeText(KIND.welcome, '{"version":1,"maxFrameBytes":5000,"prefixes":["fleet"]}')),
  ],
  ['a welcome that is no JSON', (socket: WebSocket) => socket.send(encodeText(KIND.welcome, '{'))],
])('fails for good when the server says %s', async (_, greet) => {
  const { url } = await serveByHand(greet)
  const transport = websocket({ url, WebSocket })
  await expect(transport.open(host(), AbortSignal.timeout(20_000))).rejects.toMatchObject({
    code: 'TRANSPORT_FAILED',
    message: expect.stringContaining('does not speak this protocol'),
  })
})

test('goes down when the server says something that makes no sense later', async () => {
  const { url, server } = await serveByHand((socket) => socket.send(WELCOME))
  const transport = websocket({ url, WebSocket })
  const told = host()
  await transport.open(told, AbortSignal.timeout(20_000))
  for (const socket of server.clients) socket.send(encodeText(KIND.hello, '{}'))
  await eventually(() => told.down.mock.calls.length).toBe(1)
  expect(told.down.mock.calls[0]?.[0]).toMatchObject({ code: 'TRANSPORT_FAILED' })
  expect(transport.send(TOPIC, 'x')).toBe('offline')
})

test('sends hello with its token, in a message and not in the URL', async () => {
  const paths: (string | undefined)[] = []
  const { url, server, received } = await serveByHand((socket) => socket.send(WELCOME))
  server.on('headers', (_, request) => paths.push(request.url))
  const transport = websocket({ url, WebSocket, token: async () => 'the token' })
  await transport.open(host(), AbortSignal.timeout(20_000))
  await eventually(() => received.length).toBe(1)
  expect(JSON.parse(String(received[0]?.subarray(1)))).toEqual({
    version: 1,
    hub: HUB,
    token: 'the token',
    progress: true,
    secret: expect.stringMatching(/^[0-9a-f]{32}$/),
  })
  expect(paths).toEqual(['/'])
  await transport.close(AbortSignal.abort())
})

test('sends one secret until it is closed, and has the prefixes of the server', async () => {
  const { url, received, server } = await serveByHand((socket) => socket.send(WELCOME))
  const transport = websocket({ url, WebSocket })
  expect(transport.capabilities.prefixes).toBeUndefined()
  for (const end of [AbortSignal.abort(), AbortSignal.timeout(20_000), AbortSignal.abort()]) {
    await transport.open(host(), AbortSignal.timeout(20_000))
    expect(transport.capabilities.prefixes).toEqual(PREFIXES)
    await eventually(() => server.clients.size).toBe(1)
    for (const socket of server.clients) socket.on('message', () => socket.terminate()) // its last barrier
    await transport.close(end)
    await eventually(() => server.clients.size).toBe(0)
  }
  const hellos = received.filter(([kind]) => kind === KIND.hello)
  const [first, second, third] = hellos.map((data) => JSON.parse(String(data.subarray(1))).secret)
  expect(second).toBe(first)
  expect(third).not.toBe(first)
})

test('claims what the server says, and sends no larger frame', async () => {
  const { url, received } = await serveByHand((socket) => socket.send(WELCOME))
  const transport = websocket({ url, WebSocket })
  expect(transport.capabilities.maxFrameBytes(TOPIC)).toBe(262_144)
  await transport.open(host(), AbortSignal.timeout(20_000))
  expect({ ...transport.capabilities }).toMatchObject({ scope: 'network', echoes: false, ordered: true })
  expect(transport.capabilities.maxFrameBytes(TOPIC)).toBe(5_000)
  expect(transport.send(TOPIC, new Uint8Array(5_001))).toBe('offline')
  expect(transport.send(TOPIC, new Uint8Array(5_000))).toBe('sent')
  await eventually(() => received.map((data) => data[0])).toEqual([KIND.hello, KIND.frame])
  await transport.close(AbortSignal.abort())
})

test('sends nothing while more than it may hold waits in the socket', async () => {
  const { url, server } = await serveByHand((socket) => socket.send(WELCOME))
  const transport = websocket({ url, WebSocket, maxBufferedBytes: 100_000 })
  await transport.open(host(), AbortSignal.timeout(20_000))
  for (const socket of server.clients) socket.pause()
  const frame = new Uint8Array(4_000)
  await eventually(() => {
    for (let n = 0; n < 200; n++) {
      if (transport.send(TOPIC, frame) === 'offline') return 'offline'
    }
    return 'sent'
  }).toBe('offline')
  for (const socket of server.clients) socket.resume()
  await eventually(() => transport.send(TOPIC, 'x')).toBe('sent')
  await transport.close(AbortSignal.abort())
})

test('reports a server that is away, and takes the next URL at the next attempt', async () => {
  const { server } = await serve()
  const closed = createServer()
  closed.listen(0, '127.0.0.1')
  await once(closed, 'listening')
  const away = `ws://127.0.0.1:${(closed.address() as AddressInfo).port}/rivulet`
  closed.close()
  vi.stubGlobal('WebSocket', WebSocket)
  onTestFinished(() => void vi.unstubAllGlobals())
  const transport = transportFromUrls([away, server.url])
  const first = transport.open(host(), AbortSignal.timeout(20_000))
  await expect(first).rejects.toMatchObject({ code: 'TRANSPORT_UNAVAILABLE' })
  await expect(first).rejects.toMatchObject({ message: expect.stringMatching(/ECONNREFUSED/) })
  for (let n = 0; n < 2; n++) {
    await transport.open(host(), AbortSignal.timeout(20_000))
    await transport.close(AbortSignal.timeout(1_000))
  }
})

test('learns of a dial that failed from an error alone, as some runtimes tell it', async () => {
  class WebSocketWithoutClose extends WebSocket {
    constructor(url: string) {
      super(url)
      Object.defineProperty(this, 'onclose', { set() {} })
    }
  }
  const closed = createServer().listen(0, '127.0.0.1')
  await once(closed, 'listening')
  const url = `ws://127.0.0.1:${(closed.address() as AddressInfo).port}`
  closed.close()
  const transport = websocket({ url, WebSocket: WebSocketWithoutClose })
  await expect(transport.open(host(), AbortSignal.timeout(20_000))).rejects.toMatchObject({
    code: 'TRANSPORT_UNAVAILABLE',
  })
  await transport.close(AbortSignal.timeout(20_000))
})

test('gives up a server that never answers, at each step, and leaves no socket', async () => {
  const sockets = new Set<Socket>()
  const server = createTcpServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => sockets.delete(socket))
    socket.resume()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => void server.close())
  const mute = `ws://127.0.0.1:${(server.address() as AddressInfo).port}`
  const { url: silent, server: greeter } = await serveByHand(() => {})
  for (const [url, count] of [
    [mute, () => sockets.size],
    [silent, () => greeter.clients.size],
  ] as const) {
    const giveUp = new AbortController()
    const opening = websocket({ url, WebSocket }).open(host(), giveUp.signal)
    await eventually(count).toBe(1)
    giveUp.abort(new Error('out of time'))
    await expect(opening).rejects.toMatchObject({ message: expect.stringContaining('out of time') })
    await eventually(count).toBe(0)
  }
  const giveUp = new AbortController()
  const opening = websocket({ url: silent, WebSocket, token: () => new Promise(() => {}) }).open(
    host(),
    giveUp.signal,
  )
  giveUp.abort(new Error('no token in time'))
  await expect(opening).rejects.toMatchObject({ message: expect.stringContaining('no token in time') })
})

test('tells what the server refused, with its stream', async () => {
  const { page, errors } = await serve({ session: () => ({ may: (action) => action === 'listen' }) })
  const ann = await page('ann')
  const told: (string | undefined)[] = []
  ann.stream('positions').on('error', ({ message }) => told.push(message))
  ann.stream('positions').publish({ n: 1 })
  await eventually(() => told[0]).toContain('The server refused a frame: no permission to publish')
  expect(errors).toEqual([])
})

test('a refused join rejects ready with the reason of the server', async () => {
  const { page } = await serve({ session: () => ({ may: (action) => action === 'publish' }) })
  const ann = await page('ann')
  await expect(ann.stream('positions').subscribe(() => {}).ready).rejects.toMatchObject({
    code: 'TRANSPORT_FAILED',
    message: expect.stringContaining('no permission to listen'),
  })
})

test('closes without a timer or a socket left', async () => {
  const { server } = await serve()
  const before = process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length
  const hubs = Array.from({ length: 20 }, (_, n) =>
    createHub({
      transport: websocket({ url: server.url, WebSocket, token: () => `page-${n}` }),
      name: HUB,
    }),
  )
  await Promise.all(hubs.map((hub) => hub.ready()))
  expect(server.connections).toBe(20)
  await Promise.all(hubs.map((hub) => hub.close()))
  await eventually(() => server.connections).toBe(0)
  server.pages.close()
  await eventually(() => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length).toBe(
    before,
  )
})

test('works with the WebSocket of browsers, which cannot be terminated', async () => {
  const { server } = await serve()
  class WebSocketOfBrowsers extends WebSocket {
    override terminate = undefined as never
  }
  const hub = makeLive({
    transport: websocket({ url: server.url, WebSocket: WebSocketOfBrowsers, token: () => 'ann' }),
    name: HUB,
  })
  const errors: string[] = []
  hub.on('error', ({ message }) => errors.push(message))
  await hub.ready()
  hub.stream('positions').publish({ n: 1 })
  await hub.flush()
  await server.stop()
  await eventually(() => hub.status).toBe('down')
  await server.start()
  await eventually(() => hub.status).toBe('up')
  expect(errors[0]).toContain('The WebSocket ended: no connection.')
})
