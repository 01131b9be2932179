import { once } from 'node:events'
import { createServer as createHttpServer } from 'node:http'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { endless, rejection } from '../../../test/support/adapters/waits.ts'
import { type Broker, startMosquitto } from '../../../test/support/brokers.ts'
import { Authority } from '../../../test/support/certificates.ts'
import { freePort } from '../../../test/support/free-port.ts'
import { closeAll, framesOf, make, open, patientHost, topicOf, until } from './open.ts'

const TOPIC = topicOf('positions')
const SCHEMES = ['mqtt', 'mqtts', 'ws', 'wss']

afterEach(closeAll)

describe.each([5, 4] as const)('credentials under protocol %i', (protocol) => {
  let broker: Broker

  beforeAll(async () => {
    broker = await startMosquitto({ users: { ann: 'right: p@ss' } })
  })

  afterAll(() => broker.close())

  test('are accepted, from options and from the URL', async () => {
    await open({ url: broker.url, protocol, username: 'ann', password: 'right: p@ss' })
    await open({ url: broker.url.replace('//', '//ann:right%3A%20p%40ss@'), protocol })
  })

  test.each([
    ['a wrong password', { username: 'ann', password: 'wrong' }],
    ['an unknown user', { username: 'bob', password: 'right: p@ss' }],
    ['no credentials', {}],
  ])('are refused for good, with the reason, for %s', async (_, credentials) => {
    const error = await rejection(open({ url: broker.url, protocol, ...credentials }))
    expect(error).toMatchObject({ code: 'TRANSPORT_FAILED', cause: { code: protocol === 5 ? 135 : 5 } })
    expect(error.message).toContain('Not authorized')
  })
})

describe('TLS', () => {
  let authority: Authority
  let untrusted: Authority
  let broker: Broker
  let webSocketPort: number
  let mutual: Broker
  let plain: Broker

  beforeAll(async () => {
    authority = new Authority()
    untrusted = new Authority()
    const tls = authority.issue()
    const named = authority.issue('DNS:broker.example')
    webSocketPort = await freePort()
    broker = await startMosquitto({
      tls: named,
      config: `listener ${webSocketPort} 127.0.0.1
        protocol websockets
        certfile ${named.certFile}
        keyfile ${named.keyFile}`.replaceAll(/^ +/gm, ''),
    })
    mutual = await startMosquitto({ tls, config: `require_certificate true\ncafile ${authority.caFile}` })
    plain = await startMosquitto({ websocket: true })
  })

  afterAll(async () => {
    await Promise.all([broker.close(), mutual.close(), plain.close()])
    authority.close()
    untrusted.close()
  })

  test('is accepted under a trusted authority and the right name', async () => {
    const tls = { ca: authority.ca, servername: 'broker.example' }
    for (const url of [broker.url, `wss://127.0.0.1:${webSocketPort}`]) {
      const { transport } = await open({ url, tls })
      await transport.flush(endless)
    }
  })

  test.each([
    ['an unknown authority', () => ({ ca: untrusted.ca, servername: 'broker.example' })],
    ['the system authorities', () => ({ servername: 'broker.example' })],
    ['a wrong name', () => ({ ca: authority.ca })],
    ['an authority that is not PEM', () => ({ ca: 'nonsense', servername: 'broker.example' })],
  ])('is refused for good under %s', async (_, tls) => {
    for (const url of [broker.url, `wss://127.0.0.1:${webSocketPort}`]) {
      const error = await rejection(open({ url, tls: tls() }))
      expect(error).toMatchObject({ code: 'TRANSPORT_FAILED', cause: expect.any(Error) })
    }
  })

  test('presents a client certificate if the broker requires one', async () => {
    const { cert, key } = authority.issue()
    await open({ url: mutual.url, tls: { ca: authority.ca, cert, key } })
  })

  test('is refused for good without the client certificate that the broker asks for', async () => {
    const error = await rejection(open({ url: mutual.url, tls: { ca: authority.ca } }))
    expect(error).toMatchObject({ code: 'TRANSPORT_FAILED' })
  })

  test.each(['mqtts', 'wss'])('never falls back to plain text (%s)', async (scheme) => {
    const port = scheme === 'mqtts' ? plain.port : plain.portOf('websocket')
    const error = await rejection(open({ url: `${scheme}://127.0.0.1:${port}` }))
    expect(error.code).toMatch(/^TRANSPORT_/)
  })

  test('is no outage to a peer that answers in plain text', async () => {
    const url = await answering('SSH-2.0-not-a-broker\r\n')
    expect(await rejection(open({ url: url.replace('mqtt', 'mqtts') }))).toMatchObject({
      code: 'TRANSPORT_FAILED',
    })
  })
})

describe('an outage differs from a refusal', () => {
  test('with a closed port', async () => {
    const error = await rejection(open({ url: `mqtt://127.0.0.1:${await freePort()}` }))
    expect(error).toMatchObject({ code: 'TRANSPORT_UNAVAILABLE', cause: { code: 'ECONNREFUSED' } })
  })

  test('with something else on the port', async () => {
    const http = createHttpServer((_, response) => response.end('<h1>Hello</h1>'))
    http.listen(0, '127.0.0.1')
    await once(http, 'listening')
    const address = `127.0.0.1:${(http.address() as AddressInfo).port}`
    for (const url of [`mqtt://${address}`, `ws://${address}`, await answering('SSH-2.0-not-a-broker\r\n')]) {
      expect(await rejection(open({ url }))).toMatchObject({ code: 'TRANSPORT_UNAVAILABLE' })
    }
    http.close()
  })

  test('with a silent port, bounded by itself', async () => {
    const url = await answering('')
    const urls = SCHEMES.map((scheme) => url.replace('mqtt', scheme))
    for (const error of await Promise.all(urls.map((each) => rejection(open({ url: each }))))) {
      expect(error).toMatchObject({ code: 'TRANSPORT_UNAVAILABLE' })
      expect(error.message).toContain('no answer within 2000 ms')
    }
    await until(() => standing.size === 0)
  })

  test('with a broker at its limit of connections', async () => {
    const full = await startMosquitto({ config: 'max_connections 1' })
    const transport = make({ url: full.url })
    // The broker may still count the connection of the check that it is ready.
    while (transport.send(TOPIC, '') === 'offline')
      await transport.open(patientHost(), endless).catch(() => {})
    expect(await rejection(open({ url: full.url }))).toMatchObject({ code: 'TRANSPORT_UNAVAILABLE' })
    await transport.flush(endless)
    await closeAll()
    await full.close()
  })
})

test('gives up when its signal aborts, and leaves no socket', async () => {
  const url = await answering('')
  for (const scheme of SCHEMES) {
    const controller = new AbortController()
    const opening = rejection(
      make({ url: url.replace('mqtt', scheme) }).open(patientHost(), controller.signal),
    )
    await until(() => standing.size === 1)
    controller.abort(new Error('enough'))
    expect(await opening).toBe(controller.signal.reason)
    await until(() => standing.size === 0)
  }
  expect(await rejection(make({ url }).open(patientHost(), AbortSignal.abort('early')))).toBe('early')
})

test('closes while it opens', async () => {
  const transport = make({ url: await answering('') })
  const opening = rejection(transport.open(patientHost(), endless))
  await until(() => standing.size === 1)
  await Promise.all([transport.close(endless), transport.close(endless)])
  expect(await opening).toMatchObject({ code: 'TRANSPORT_UNAVAILABLE' })
  await until(() => standing.size === 0)
})

test('tries several servers in turn, and reports an outage while one has an outage', async () => {
  const broker = await startMosquitto()
  const guarded = await startMosquitto({ users: { ann: 'secret' } })
  const dead = `mqtt://127.0.0.1:${await freePort()}`
  for (let round = 0; round < 5; round++) await open({ url: [dead, guarded.url, broker.url] })
  expect(await rejection(open({ url: [dead, guarded.url] }))).toMatchObject({ code: 'TRANSPORT_UNAVAILABLE' })
  expect(await rejection(open({ url: [guarded.url, guarded.url] }))).toMatchObject({
    code: 'TRANSPORT_FAILED',
  })
  await closeAll()
  await Promise.all([broker.close(), guarded.close()])
})

describe('a size limit of the broker', () => {
  test('is respected, so that it never cuts the connection', async () => {
    const limit = 4200
    const broker = await startMosquitto({ config: `max_packet_size ${limit}` })
    const { transport } = await open({ url: broker.url })
    const { transport: other, host } = await open({ url: broker.url })
    const longest = topicOf(`${'%E2%82%AC'.repeat(320)}`)
    await other.join(longest, endless)
    await other.join(TOPIC, endless)
    const maxFrameBytes = transport.capabilities.maxFrameBytes(longest)
    expect(transport.send(longest, 'x'.repeat(maxFrameBytes))).toBe('sent')
    expect(transport.send(longest, 'x'.repeat(limit))).toBe('offline')
    expect(transport.send(TOPIC, 'é'.repeat(2000))).toBe('sent')
    expect(transport.send(TOPIC, 'é'.repeat(2100))).toBe('offline')
    expect(transport.send(TOPIC, new Uint8Array(limit))).toBe('offline')
    await expect(transport.join(topicOf('x'.repeat(limit)), endless)).rejects.toMatchObject({
      code: 'TRANSPORT_FAILED',
    })
    await transport.flush(endless)
    await until(() => host.frames.length === 2)
    await closeAll()
    await broker.close()
  })

  test('on messages alone drops silently and leaves the connection up', async () => {
    const broker = await startMosquitto({ config: 'message_size_limit 100' })
    const { transport } = await open({ url: broker.url })
    const { transport: other, host } = await open({ url: broker.url })
    await other.join(TOPIC, endless)
    expect(transport.capabilities.maxFrameBytes(TOPIC)).toBe(Infinity)
    for (const frame of ['x'.repeat(101), 'small']) expect(transport.send(TOPIC, frame)).toBe('sent')
    await until(() => framesOf(host).includes('positions:small'))
    expect(framesOf(host)).toEqual(['positions:small'])
    await closeAll()
    await broker.close()
  })
})

test('cannot see that mosquitto denies a topic', async () => {
  const broker = await startMosquitto({
    files: { acl: 'topic readwrite rivulet/test/open\n' },
    config: (folder) => `acl_file ${folder}/acl`,
  })
  const { transport } = await open({ url: broker.url })
  const { transport: other, host } = await open({ url: broker.url })
  await other.join(topicOf('denied'), endless)
  await other.join(topicOf('open'), endless)
  expect(transport.send(topicOf('denied'), 'unseen')).toBe('sent')
  expect(transport.send(topicOf('open'), 'seen')).toBe('sent')
  await until(() => host.frames.length > 0)
  expect(framesOf(host)).toEqual(['open:seen'])
  expect(host.errors).toEqual([])
  await closeAll()
  await broker.close()
})

/** The open connections at the servers of {@link answering}. */
const standing = new Set<Socket>()

/** Starts a server that answers everything with one text and ends; with an empty one it keeps silent. */
async function answering(text: string): Promise<string> {
  const server = createServer((socket) => {
    standing.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => standing.delete(socket))
    socket.on('data', () => {
      if (text !== '') socket.end(text)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  server.unref()
  return `mqtt://127.0.0.1:${(server.address() as AddressInfo).port}`
}
