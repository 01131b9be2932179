import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { attachWebSockets, createGateway, type GatewayOptions, toNodeHandler } from '@rivulet/twilio'
import express from 'express'
import fastify from 'fastify'
import twilio from 'twilio'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { WebSocket, WebSocketServer } from 'ws'
import { createHub } from '../../../../src/index.ts'
import { RawSdk } from '../../../twilio/test/support/raw-sdk.ts'
import { KEYS } from '../../../twilio/test/support/sync-client.ts'
import { ApiClient, BASIC } from '../support/api-client.ts'
import { sendRaw } from '../support/raw-http.ts'
import { ACCOUNT, ACCOUNT_KEY, SERVICE, served, TOKEN } from '../support/served-gateway.ts'
import { listenAt } from '../support/sse-client.ts'

function gatewayWith(options: Partial<GatewayOptions> = {}) {
  const hub = createHub()
  const gateway = createGateway({ services: { [SERVICE]: hub }, keys: [ACCOUNT_KEY], ...options })
  onTestFinished(async () => {
    await gateway.close()
    await hub.close()
  })
  return { hub, gateway }
}

async function serving(handler: RequestListener): Promise<string> {
  const server = createServer(handler).listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => void server.close().closeAllConnections())
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** Does with the official SDK and an event stream what a program would, under a path. */
async function useUnder(url: string): Promise<void> {
  const client = twilio(ACCOUNT, TOKEN)
  client.sync.baseUrl = url
  const { syncStreams } = client.sync.v1.services(SERVICE)
  const stream = await syncStreams.create({ uniqueName: 'a/b' })
  expect(stream.url).toBe(`${url}/v1/Services/${SERVICE}/Streams/${stream.sid}`)
  const listener = await listenAt(`${stream.url}/Messages`, BASIC)
  await syncStreams(stream.sid).streamMessages.create({ data: { truck: 7 } })
  expect(await listener.count(1)).toMatchObject([{ event: 'messagePublished', data: { truck: 7 } }])
  await syncStreams(stream.sid).remove()
  expect(await listener.count(2)).toMatchObject([{}, { event: 'removed' }])
}

describe('the Node handler', () => {
  test("serves Node's own server", async () => {
    const { gateway } = gatewayWith()
    await useUnder(await serving(toNodeHandler(gateway)))
  })

  test('serves under a path of an Express application, beside its other routes', async () => {
    const { gateway } = gatewayWith({ basePath: '/sync' })
    const app = express()
    app.use('/sync', toNodeHandler(gateway))
    app.use(express.json())
    app.get('/', (_request, response) => void response.send('home'))
    const url = await serving(app)
    await useUnder(`${url}/sync`)
    expect(await (await fetch(url)).text()).toBe('home')
  })

  test('says so when something has read the body before it', async () => {
    const { hub, gateway } = gatewayWith()
    const app = express()
    app.use(express.urlencoded())
    app.use(toNodeHandler(gateway))
    const url = await serving(app)
    const api = new ApiClient(url)
    for (const answer of [await api.create({ UniqueName: 'a' }), await api.publish('a', {})]) {
      expect(answer).toMatchObject({ status: 500, body: { code: 20500 } })
      expect(answer.body.message).toContain('mount the gateway before body parsers')
    }
    expect((await api.list()).body.streams).toEqual([])
    expect(hub.ledger().attempts).toBe(0)
  })

  test('serves under a path of a Fastify application, beside its other routes', async () => {
    const { gateway } = gatewayWith({ basePath: '/sync' })
    const handle = toNodeHandler(gateway)
    const app = fastify()
    app.register(async (scope) => {
      scope.removeAllContentTypeParsers()
      scope.addContentTypeParser('*', (_request, _body, done) => done(null))
      scope.all('/sync/*', (request, reply) => {
        reply.hijack()
        handle(request.raw, reply.raw)
      })
    })
    app.get('/', async () => 'home')
    onTestFinished(() => app.close())
    const url = await app.listen({ port: 0, host: '127.0.0.1' })
    await useUnder(`${url}/sync`)
    expect(await (await fetch(url)).text()).toBe('home')
  })
})

describe("Twilsock on a server of one's own", () => {
  test('takes client SDKs beside WebSockets of others, and ends the rest', async () => {
    const { gateway } = gatewayWith({ basePath: '/sync', keys: KEYS })
    const server = createServer(express().use('/sync', toNodeHandler(gateway))).listen(0, '127.0.0.1')
    await once(server, 'listening')
    onTestFinished(() => void server.close().closeAllConnections())
    await attachWebSockets(server, gateway)
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    const stray = new WebSocket(`${url.replace('http', 'ws')}/other`)
    await expect(once(stray, 'open')).rejects.toMatchObject({
      message: expect.stringContaining('socket hang up'),
    })

    const chats = new WebSocketServer({ noServer: true })
    server.on('upgrade', (request, socket, head) => {
      if (request.url === '/chat') chats.handleUpgrade(request, socket, head, (chat) => chat.send('hello'))
    })
    const chat = new WebSocket(`${url.replace('http', 'ws')}/chat`)
    expect(String((await once(chat, 'message'))[0])).toBe('hello')
    const sdk = await (await new RawSdk(`${url}/sync`).open()).init()
    expect((await sdk.request('POST', '/v3/Streams', {})).header.http_status.code).toBe(201)
    await gateway.close()
    expect(await sdk.closed).toBe(1001)
    chat.terminate()
  })
})

const PATH = `/v1/Services/${SERVICE}/Streams`
const FORM = { 'Content-Type': 'application/x-www-form-urlencoded' }

interface Sent {
  readonly path?: string
  readonly headers?: Record<string, string>
  readonly body?: string
}

/** A header that only browsers send makes a request go the long way. */
const LONG_WAY = { 'Sec-Fetch-Site': 'none' }

function bytesOf(
  { path = `${PATH}/a/Messages`, headers = {}, body = 'Data=%7B%22a%22%3A1%7D' }: Sent,
  more = {},
) {
  const all = { Host: 'localhost', Authorization: BASIC.authorization, ...FORM, ...headers, ...more }
  const head = Object.entries({ 'Content-Length': String(Buffer.byteLength(body)), ...all })
  const lines = head.map(([name, value]) => `${name}: ${value}`)
  return `POST ${path} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n${body}`
}

describe('the short way of a publish', () => {
  const requests: [string, Sent][] = [
    ['a publish', {}],
    ['a publish by an encoded name', { path: `${PATH}/%61/Messages` }],
    ['one to the default service', { path: '/v1/Services/default/Streams/a/Messages' }],
    ['one to a stream that is not there', { path: `${PATH}/b/Messages` }],
    ['one to a service that is not there', { path: `/v1/Services/IS${'9'.repeat(32)}/Streams/a/Messages` }],
    ['one to a name that is no UTF-8', { path: `${PATH}/%FF/Messages` }],
    ['one to dots', { path: `${PATH}/../Messages` }],
    ['one to a path with a query', { path: `${PATH}/a/Messages?x=/Messages` }],
    ['one with a backslash', { path: `${PATH}\\a\\Messages` }],
    ['a wrong password', { headers: { Authorization: `Basic ${btoa('AC:x')}` } }],
    ['credentials that cannot be read', { headers: { Authorization: 'Basic %%%' } }],
    ['no data', { body: 'Date=1' }],
    ['an empty body', { body: '' }],
    ['JSON that is called a form', { body: '{"Data":{}}' }],
    ['JSON', { body: '{"Data":{}}', headers: { 'Content-Type': 'application/json' } }],
    ['data that is no JSON', { body: 'Data=%7B' }],
    ['data that is no object', { body: 'Data=7' }],
    ['data that is no UTF-8', { body: 'Data=%FF' }],
    ['too much data', { body: `Data={"a":"${'x'.repeat(5000)}"}` }],
    ['a body that is too large', { body: `Data=${'x'.repeat(70_000)}` }],
    ['a field twice', { body: 'Data={"a":1}&Data={"a":2}' }],
    ['text beyond ASCII', { body: 'Data={"a":"日本"}' }],
  ]

  test.each(requests)('answers %s as the long way does', async (_, sent) => {
    const { server, url, gateway } = await served()
    await new ApiClient(url).create({ UniqueName: 'a' })
    const publish = vi.spyOn(gateway, 'publish')
    const short = await sendRaw(server.port, bytesOf(sent))
    // So written, the scheme goes the long way. A browser's header would too, but is asked for another scheme.
    const long = await sendRaw(
      server.port,
      bytesOf(sent).replace('Authorization: Basic ', 'Authorization: basic '),
    )
    expect(publish.mock.results.at(-1)?.value).toBeUndefined()
    const seen = (answer: typeof short) => ({
      status: answer?.status,
      body: answer?.body.replace(/TZ[0-9a-f]{32}/, 'TZ'),
      headers: answer?.head
        .toLowerCase()
        .split('\r\n')
        .filter((line) => !/^(date|http|connection|keep-alive)/.test(line))
        .sort(),
    })
    expect(seen(short)).toEqual(seen(long))
  })

  test('is taken by what server SDKs send, and by nothing from a browser', async () => {
    const { server, url, gateway } = await served()
    await new ApiClient(url).create({ UniqueName: 'a' })
    const fetching = vi.spyOn(gateway, 'fetch')
    expect((await sendRaw(server.port, bytesOf({})))?.status).toBe(201)
    expect(fetching).not.toHaveBeenCalled()
    await sendRaw(server.port, bytesOf({}, { Origin: 'https://app.example' }))
    await sendRaw(server.port, bytesOf({}, LONG_WAY))
    expect(fetching).toHaveBeenCalledTimes(2)
  })

  test('says 503 once the gateway is closed, and 400 for a body that breaks off', async () => {
    const { server, url, gateway } = await served()
    await new ApiClient(url).create({ UniqueName: 'a' })
    const broken = await sendRaw(server.port, bytesOf({ headers: { 'Content-Length': '50' } }), true)
    expect(broken === undefined || broken.status === 400).toBe(true)
    await gateway.close()
    expect((await sendRaw(server.port, bytesOf({})))?.status).toBe(503)
  })
})
