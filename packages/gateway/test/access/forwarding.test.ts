import { createHub } from 'rivulet'
import { expect, onTestFinished, test } from 'vitest'
import { createGateway, type GatewayOptions, relay } from '../../src/index.ts'
import { ApiClient, BASIC } from '../support/api-client.ts'
import { ACCOUNT_KEY, served } from '../support/served-gateway.ts'

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
