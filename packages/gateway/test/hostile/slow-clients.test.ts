import { expect, test } from 'vitest'
import { waitFor } from '../../../../test/support/wait-for.ts'
import { ApiClient, BASIC } from '../support/api-client.ts'
import { RawClient, requestText } from '../support/raw-client.ts'
import { SERVICE, served } from '../support/served-gateway.ts'

const STREAMS = `/v1/Services/${SERVICE}/Streams`
const HEALTH = requestText('/healthz')
const LISTEN = requestText(`${STREAMS}/a/Messages`, { ...BASIC, Accept: 'text/event-stream' })
const POST_HEAD = requestText(STREAMS, { ...BASIC, 'Content-Length': '10000' }, 'POST')

test('a client that never takes its answers is ended, and delays no other', async () => {
  let answered = 0
  const log = { debug: () => answered++, info() {}, warn() {}, error() {} }
  const { url, server } = await served({ log }, { writeStallMs: 200 })
  const api = new ApiClient(url)
  for (let n = 0; n < 100; n++) await api.create({ UniqueName: `${'x'.repeat(250)} ${n}` })
  const client = await RawClient.connect(server.port)
  const page = requestText(`${STREAMS}?PageSize=100`, BASIC)
  // The kernel takes some MB first. Then the server reads nothing more of this client.
  for (let before = -1; before < answered; ) {
    before = answered
    await client.send(page)
    await waitFor(() => expect(answered).toBeGreaterThan(before), 1_000).catch(() => {})
  }
  expect((await api.list()).status).toBe(200)
  await client.hungUpOn()
})

test('a listener that takes some of what waits for it, now and then, is not hung up on', async () => {
  const writeStallMs = 500
  const { url, hub, server, gateway } = await served(
    { limits: { listeners: { maxWaitingMessages: 4 } } },
    { writeStallMs },
  )
  hub.stream('a', { limit: false, maxBytes: 65_536 })
  await new ApiClient(url).create({ UniqueName: 'a' })
  const client = await RawClient.connect(server.port)
  await client.send(LISTEN)
  await waitFor(() => expect(gateway.counts.listeners).toBe(1))
  const endMs = performance.now() + 3 * writeStallMs
  while (performance.now() < endMs) {
    for (const { dropped } = gateway.counts; gateway.counts.dropped === dropped; ) {
      hub.stream('a').publish({ filling: 'x'.repeat(60_000) })
      await new Promise(setImmediate)
    }
    expect(gateway.counts.listeners).toBe(1)
    await client.take(100_000)
  }
  expect(client.isClosed).toBe(false)
})

test.each([
  ['headers', (n: number) => (n === 0 ? HEALTH.slice(0, -2) : `X-${n}: y\r\n`)],
  ['a body', (n: number) => (n === 0 ? POST_HEAD : 'x')],
])('a hundred clients that send %s bit by bit are hung up on, each with a 408', async (_what, part) => {
  const { url, server } = await served({}, { headersTimeoutMs: 300, requestTimeoutMs: 300 })
  const clients = await connections(server.port, 100)
  for (const client of clients) client.read()
  for (let n = 0; !clients.every(({ isClosed }) => isClosed); n++) {
    await Promise.all(clients.map((client) => client.send(part(n))))
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  for (const { received } of clients) expect(received).toMatch(/^HTTP\/1\.1 408 /)
  expect((await fetch(`${url}/healthz`)).status).toBe(200)
})

test('two thousand idle connections leave others free, up to the limit', async () => {
  const { url, server } = await served({}, { maxConnections: 2001 })
  const idle = await connections(server.port, 2000)
  const last = await RawClient.connect(server.port)
  last.read()
  await last.send(HEALTH)
  await waitFor(() => expect(last.received).toMatch(/^HTTP\/1\.1 200 /))
  const beyond = await RawClient.connect(server.port)
  beyond.read()
  await beyond.closed
  expect(beyond.received).toBe('')
  for (const { socket } of idle) socket.destroy()
  await waitFor(async () => expect((await fetch(`${url}/healthz`)).status).toBe(200))
})

test('connections on which nothing was ever asked are hung up on', async () => {
  const { server } = await served({}, { headersTimeoutMs: 200, requestTimeoutMs: 300 })
  const clients = await connections(server.port, 50)
  for (const client of clients) client.read()
  await Promise.all(clients.map(({ closed }) => closed))
})

function connections(port: number, count: number): Promise<RawClient[]> {
  return Promise.all(Array.from({ length: count }, () => RawClient.connect(port)))
}
