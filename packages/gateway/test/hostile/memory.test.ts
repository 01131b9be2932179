import { describe, expect, test } from 'vitest'
import { ApiClient, BASIC } from '../support/api-client.ts'
import { MeasuredGateway } from '../support/measured-gateway.ts'
import { RawClient, requestText } from '../support/raw-client.ts'
import { SERVICE } from '../support/served-gateway.ts'

const CONNECTIONS = 200
const LISTENERS = 400
const FLOOD_BYTES = 1_048_576
const MOST_MIB = 100

describe('memory', () => {
  test.each([
    ['the description', requestText('/openapi.json')],
    ['refusals', requestText(`/v1/Services/${SERVICE}/Streams`)],
    ['pages of streams', requestText(`/v1/Services/${SERVICE}/Streams`, BASIC)],
  ])('is not taken by connections that pipeline requests for %s and never read', async (_what, request) => {
    const gateway = await MeasuredGateway.start()
    const api = new ApiClient(gateway.url)
    for (let n = 0; n < 50; n++) await api.create({ UniqueName: `stream ${n}` })
    const before = await gateway.settled()
    const flood = Buffer.from(request.repeat(Math.ceil(FLOOD_BYTES / request.length)))
    for (let round = 0; round < 3; round++) {
      const clients = await connections(gateway.port, CONNECTIONS)
      // Whoever is not hung up on has sent what the gateway and the kernel take once nothing changes any more.
      for (const client of clients) void client.send(flood)
      await gateway.settled()
    }
    const after = await gateway.settled()
    expect(after.peakMiB - before.peakMiB).toBeLessThan(MOST_MIB)
    expect((await api.fetch('stream 0')).status).toBe(200)
  })

  test('is not taken by requests with thousands of headers that do not end', async () => {
    const gateway = await MeasuredGateway.start()
    const before = await gateway.settled()
    const clients = await connections(gateway.port, 10 * CONNECTIONS)
    const most = `GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n${'a:\r\n'.repeat(3900)}`
    await Promise.all(clients.map((client) => client.send(most)))
    for (const client of clients) client.read()
    // The gateway gives up on all of them after ten seconds.
    await Promise.all(clients.map(({ closed }) => closed))
    const after = await gateway.settled()
    expect(after.peakMiB - before.peakMiB).toBeLessThan(MOST_MIB)
  })

  test('is bounded for WebSockets that send most of a message and stop', async () => {
    const gateway = await MeasuredGateway.start()
    const before = await gateway.settled()
    const clients = await connections(gateway.port, LISTENERS)
    const handshake = requestText('/v3/wsconnect', {
      Connection: 'Upgrade',
      Upgrade: 'websocket',
      'Sec-WebSocket-Version': '13',
      'Sec-WebSocket-Key': 'AAAAAAAAAAAAAAAAAAAAAA==',
    })
    // RFC 6455, 5.2: a final binary message, masked with zeros, whose length is 1 MiB.
    const head = Buffer.from([0x82, 0xff, 0, 0, 0, 0, 0, 16, 0, 0, 0, 0, 0, 0])
    const most = Buffer.concat([Buffer.from(handshake), head, Buffer.alloc(1_000_000)])
    for (const client of clients) client.read()
    for (const client of clients) void client.send(most)
    await Promise.all(clients.map(({ closed }) => closed))
    expect(clients.filter(({ received }) => received.startsWith('HTTP/1.1 101 '))).toHaveLength(LISTENERS)
    const after = await gateway.settled()
    expect(after.peakMiB - before.peakMiB).toBeLessThan(MOST_MIB)
  })

  test('is shared by listeners that read slowly, and what they get and lose is counted', async () => {
    // More than the kernel takes at once, so that a copy for each would stay in this process's memory.
    const gateway = await MeasuredGateway.start({ limits: { listeners: { maxWaitingBytes: 4_194_304 } } })
    const api = new ApiClient(gateway.url)
    await api.create({ UniqueName: 'a' })
    const headers = { ...BASIC, Accept: 'text/event-stream' }
    const request = requestText(new URL(api.messagesOf('a')).pathname, headers)
    const clients = await connections(gateway.port, LISTENERS)
    await Promise.all(clients.map((client) => client.send(request)))
    const before = await gateway.settled()
    expect(before.listeners).toBe(LISTENERS)
    let published = 0
    let measures = before
    const publishUntilDropped = async (dropped: number) => {
      while (measures.dropped < dropped) {
        published += 50
        measures = await gateway.order({ do: 'publish', stream: 'a', times: 50, bytes: 16_000 })
      }
    }
    // What the kernel holds for a connection fills first; then what may wait for it; then the oldest give way.
    await publishUntilDropped(LISTENERS * 100)
    await Promise.all(clients.map((client) => client.take(2_000_000)))
    await publishUntilDropped(measures.dropped + LISTENERS * 100)
    expect(measures.peakMiB - before.peakMiB).toBeLessThan(MOST_MIB)
    for (const client of clients) client.socket.destroy()
    const after = await gateway.settled()
    expect(after).toMatchObject({ listeners: 0, sent: published * LISTENERS - after.dropped })
  })
})

function connections(port: number, count: number): Promise<RawClient[]> {
  return Promise.all(Array.from({ length: count }, () => RawClient.connect(port)))
}
