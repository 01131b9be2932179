import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { attachWebSockets, createGateway, type GatewayOptions, relay, toNodeHandler } from '@rivulet/twilio'
import { createHub } from 'rivulet'
import { describe, expect, onTestFinished, test } from 'vitest'
import { ApiClient, BASIC } from '../support/api-client.ts'
import { sendRaw } from '../support/raw-http.ts'
import { ACCOUNT_KEY, served, servedGateway } from '../support/served-gateway.ts'

const STREAMS = '/v1/Services/default/Streams'

function loggedGateway(options: Partial<GatewayOptions>) {
  const carried = relay()
  const hub = createHub({ transport: carried })
  const warnings: string[] = []
  const log = {
    debug() {},
    info() {},
    error() {},
    warn: (_fields: object, text: string) => warnings.push(text),
  }
  const gateway = createGateway({ hub, relay: carried, log, ...options })
  onTestFinished(async () => {
    await gateway.close()
    await hub.close()
  })
  const ask = async (headers: Record<string, string>, path = '/v1/Services/default/Streams') =>
    gateway.fetch(new Request(`http://localhost${path}`, { headers }))
  return { ask, warnings }
}

const FORWARDED: Record<string, string>[] = [
  { 'x-forwarded-for': '192.0.2.1' },
  { 'x-forwarded-proto': 'https' },
  { 'x-forwarded-host': 'sync.example' },
  { forwarded: 'for=192.0.2.1;proto=https' },
  { via: '1.1 proxy' },
  { 'x-real-ip': '192.0.2.1' },
]

test.each([...FORWARDED, { 'X-Forwarded-Anything': '' }, { 'x-forwarded-for': '127.0.0.1' }])(
  'a gateway without keys refuses what a proxy has forwarded: %j',
  async (headers) => {
    const { ask } = loggedGateway({ open: true, playground: true })
    expect((await ask({})).status).toBe(200)
    for (const path of [
      '/v1/Services/default/Streams',
      '/healthz',
      '/openapi.json',
      '/playground',
      '/rivulet',
      '/none',
    ]) {
      const answer = await ask(headers, path)
      expect([path, answer.status]).toEqual([path, 403])
      expect(((await answer.json()) as { message: string }).message).toMatch(/a proxy has forwarded this/)
    }
  },
)

/** What Nginx sends by its defaults, to a server at that address. */
const OF_NGINX = 'HTTP/1.0\r\nHost: 127.0.0.1\r\nConnection: close\r\n'
const UPGRADE = 'Connection: Upgrade\r\nUpgrade: websocket\r\n'
const SOCKET = `${UPGRADE}Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n`

describe('HTTP/1.0', () => {
  test('is refused without keys, as from a proxy that adds no header', async () => {
    const carried = relay()
    const hub = createHub({ transport: carried })
    onTestFinished(async () => void (await hub.close()))
    const gateway = createGateway({ hub, relay: carried, open: true })
    const own = createServer(toNodeHandler(gateway)).listen(0, '127.0.0.1')
    await once(own, 'listening')
    onTestFinished(() => void own.close())
    await attachWebSockets(own, gateway)
    const { port } = await servedGateway(gateway)
    const body = 'UniqueName=a'
    const form = 'Content-Type: application/x-www-form-urlencoded\r\n'
    const create = `POST ${STREAMS} ${OF_NGINX}${form}Content-Length: ${body.length}\r\n\r\n${body}`
    for (const at of [port, (own.address() as AddressInfo).port]) {
      expect((await sendRaw(at, create))?.status).toBe(403)
      expect((await sendRaw(at, `GET /healthz ${OF_NGINX}\r\n`))?.status).toBe(403)
      expect((await sendRaw(at, `GET /rivulet HTTP/1.0\r\nHost: 127.0.0.1\r\n${SOCKET}\r\n`))?.status).toBe(
        403,
      )
    }
  })

  test('is taken with keys', async () => {
    const { server } = await served()
    const authorization = `Authorization: ${BASIC.authorization}\r\n`
    expect((await sendRaw(server.port, `GET ${STREAMS} ${OF_NGINX}${authorization}\r\n`))?.status).toBe(200)
  })

  test.each([{}, { open: true }, { basePath: '/sync' }])(
    'without a host is answered about the health, as HAProxy asks: %j',
    async (options) => {
      const { server } = await served(options)
      const base = options.basePath ?? ''
      for (const path of ['/healthz', '/livez', '/readyz']) {
        const answer = await sendRaw(server.port, `GET ${base}${path} HTTP/1.0\r\n\r\n`)
        expect([path, answer?.status]).toEqual([path, 200])
        expect((await sendRaw(server.port, `HEAD ${base}${path} HTTP/1.0\r\n\r\n`))?.status).toBe(200)
      }
      for (const text of [
        `GET ${base}${STREAMS} HTTP/1.0`,
        `POST ${base}/healthz HTTP/1.0`,
        `GET ${base}/livez HTTP/1.1`,
      ])
        expect((await sendRaw(server.port, `${text}\r\n\r\n`))?.status).toBe(400)
    },
  )
})

test.each(FORWARDED)(
  'without a public URL the first forwarded request is warned of, once: %j',
  async (headers) => {
    const { ask, warnings } = loggedGateway({ keys: [ACCOUNT_KEY] })
    await ask(BASIC)
    expect(warnings).toEqual([])
    for (let round = 0; round < 3; round++) expect((await ask({ ...BASIC, ...headers })).status).toBe(200)
    expect(warnings).toEqual([expect.stringMatching(/http:\/\/.*--public-url/)])
  },
)

test('the short way of publishing warns, too', async () => {
  const warnings: string[] = []
  const warn = (_fields: object, text: string) => warnings.push(text)
  const { url } = await served({ log: { debug() {}, info() {}, warn, error() {} } })
  await new ApiClient(url, { ...BASIC, via: '1.1 proxy' }).publish('a', {})
  expect(warnings).toEqual([expect.stringMatching(/http:\/\/.*--public-url/)])
})

test('with a public URL nothing is warned of', async () => {
  const { ask, warnings } = loggedGateway({ keys: [ACCOUNT_KEY], publicUrl: 'https://sync.example' })
  for (const headers of FORWARDED) expect((await ask({ ...BASIC, ...headers })).status).toBe(200)
  expect(warnings).toEqual([])
})
