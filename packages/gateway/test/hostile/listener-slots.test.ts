import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type Gateway, toNodeHandler } from '@rivulet/twilio'
import { describe, expect, onTestFinished, test } from 'vitest'
import { waitFor } from '../../../../test/support/wait-for.ts'
import { ApiClient, BASIC } from '../support/api-client.ts'
import { RawClient, requestText } from '../support/raw-client.ts'
import { SERVICE, served } from '../support/served-gateway.ts'

const STREAMS = `/v1/Services/${SERVICE}/Streams`
const LISTEN = requestText(`${STREAMS}/a/Messages`, { ...BASIC, Accept: 'text/event-stream' })

/** Serves a gateway with the stream `a`, by the package's server and by one of Node's without its limits. */
async function servedTwice() {
  let answered = 0
  const log = { debug: () => answered++, info() {}, warn() {}, error() {} }
  // A plain server may have stopped reading: only by what it sends does it find out that a client is gone.
  const context = await served({ log, limits: { listeners: { heartbeatMs: 50 } } })
  const api = new ApiClient(context.url)
  await api.create({ UniqueName: 'a' })
  const before = answered
  const plainPort = await servedPlainly(context.gateway)
  return { ...context, api, plainPort, answered: () => answered - before }
}

async function servedPlainly(gateway: Gateway): Promise<number> {
  const server = createServer(toNodeHandler(gateway)).listen(0, '127.0.0.1')
  onTestFinished(() => server.closeAllConnections())
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

describe.each(['server', 'plain'])('on connections of a %s', (kind) => {
  test.each([16, 450])(
    'that ask for %i event streams each, none gets two, and none is kept',
    async (times) => {
      const { server, plainPort, hub, gateway, api, answered } = await servedTwice()
      const port = kind === 'server' ? server.port : plainPort
      const clients = await Promise.all(Array.from({ length: 5 }, () => RawClient.connect(port)))
      await Promise.all(clients.map((client) => client.send(LISTEN.repeat(times))))
      await waitFor(() => expect(answered()).toBeGreaterThanOrEqual(5))
      // As far as the server reads on: it stops when too much waits to be taken.
      for (let before = 0; before < answered(); ) {
        before = answered()
        await new Promise((resolve) => setTimeout(resolve, 50))
      }
      expect(gateway.counts.listeners).toBeLessThanOrEqual(5)
      for (const { socket } of clients) socket.destroy()
      await waitFor(() => expect(gateway.counts.listeners).toBe(0))
      expect(hub.ledger().subscribers).toBe(0)
      expect((await api.publish('a', {})).status).toBe(201)
    },
  )
})

test('answers a second event stream on a connection 429 until the first has ended', async () => {
  const { plainPort, gateway, api } = await servedTwice()
  const client = await RawClient.connect(plainPort)
  client.read()
  await client.send(LISTEN)
  await waitFor(() => expect(client.received).toContain('retry: 2000'))
  await client.send(LISTEN)
  await api.create({ UniqueName: 'b' })
  await api.remove('a')
  // The second answer stands behind the first, which has ended now.
  await waitFor(() => expect(client.received).toContain('"code":20429'))
  expect(client.received).toContain('HTTP/1.1 429 Too Many Requests')
  await client.send(LISTEN.replace('/a/', '/b/'))
  await waitFor(() => expect(gateway.counts.listeners).toBe(1))
})

test('a listener whose response waits for another ends with its connection', async () => {
  const { plainPort, gateway, api, answered } = await servedTwice()
  for (let n = 0; n < 100; n++) await api.create({ UniqueName: `${'x'.repeat(250)} ${n}` })
  const page = requestText(`${STREAMS}?PageSize=100`, BASIC)
  const client = await RawClient.connect(plainPort)
  const asked = answered()
  // The kernel takes some MB for a client that does not read: more than these pages, less than with the next.
  for (let pages = 1; pages <= 20; pages++) {
    await client.send(page)
    await waitFor(() => expect(answered() - asked).toBe(pages))
  }
  await client.send(page.repeat(80) + LISTEN)
  await waitFor(() => expect(gateway.counts.listeners).toBe(1))
  client.socket.destroy()
  await waitFor(() => expect(gateway.counts.listeners).toBe(0))
})

test('requests behind an event stream are answered when it has ended, in their order', async () => {
  const { server, gateway, api } = await servedTwice()
  const client = await RawClient.connect(server.port)
  client.read()
  await client.send(LISTEN + requestText(`${STREAMS}/a`, BASIC) + requestText('/healthz'))
  await waitFor(() => expect(gateway.counts.listeners).toBe(1))
  await api.remove('a')
  await waitFor(() => expect(client.received).toContain('"status":"up"'))
  const statuses = [...client.received.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => status)
  expect(statuses).toEqual(['200', '404', '200'])
})
