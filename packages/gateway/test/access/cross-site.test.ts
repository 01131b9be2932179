import { createGateway, type Gateway, type GatewayOptions } from '@rivulet/twilio'
import { createHub } from 'rivulet'
import { describe, expect, onTestFinished, test } from 'vitest'
import { BASIC, basic } from '../support/api-client.ts'
import { ACCOUNT, ACCOUNT_KEY } from '../support/served-gateway.ts'

// Not over the network: Node's `fetch` adds a `Sec-Fetch-Mode` of its own.
function gatewayOf(options: Partial<GatewayOptions> = {}): Gateway {
  const hub = createHub()
  const gateway = createGateway({ hub, keys: [ACCOUNT_KEY], ...options })
  onTestFinished(async () => {
    await gateway.close()
    await hub.close()
  })
  return gateway
}

async function create(gateway: Gateway, headers: Record<string, string>, origin = 'http://sync.example') {
  const request = new Request(`${origin}/v1/Services/default/Streams`, { method: 'POST', headers })
  const response = await gateway.fetch(request)
  return {
    status: response.status,
    headers: response.headers,
    body: (await response.json()) as { message: string },
  }
}

describe('a key that a browser sends', () => {
  const cases: [what: string, headers: Record<string, string>, status: number][] = [
    ['a program', {}, 201],
    ["Node's fetch", { 'sec-fetch-mode': 'cors' }, 201],
    ['a page of its own', { origin: 'http://sync.example', 'sec-fetch-site': 'same-origin' }, 201],
    ['a page of its own that got here over TLS', { origin: 'https://sync.example' }, 201],
    ['a page of its own, by the public URL', { origin: 'https://public.example' }, 201],
    ['somebody at the address bar', { 'sec-fetch-site': 'none', 'sec-fetch-mode': 'navigate' }, 201],
    ['a listed page', { origin: 'https://app.example', 'sec-fetch-site': 'cross-site' }, 201],
    ['a form of another site', { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' }, 403],
    ['a form of another site, in an older browser', { origin: 'https://evil.example' }, 403],
    ['a page without a name', { origin: 'null' }, 403],
    ['another port', { origin: 'http://sync.example:81' }, 403],
    ['a name that only begins so', { origin: 'http://sync.example.evil.example' }, 403],
    ['an image of another site', { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'no-cors' }, 403],
    ['a sibling of the site', { 'sec-fetch-site': 'same-site' }, 403],
    [
      'a sibling of the site, with its name',
      { origin: 'https://b.example', 'sec-fetch-site': 'same-site' },
      403,
    ],
  ]

  test.each(cases)('for %s is answered as it should be', async (_what, headers, status) => {
    const gateway = gatewayOf({ corsOrigins: ['https://app.example'], publicUrl: 'https://public.example' })
    const answer = await create(gateway, { ...BASIC, ...headers })
    expect(answer.status).toBe(status)
    if (status === 403) expect(answer.body.message).toMatch(/another site.*--cors/)
  })

  test('is taken from any page when all are listed, but not without the name of the page', async () => {
    const gateway = gatewayOf({ corsOrigins: ['*'] })
    const site = { ...BASIC, 'sec-fetch-site': 'cross-site' }
    expect((await create(gateway, { ...site, origin: 'https://app.example' })).status).toBe(201)
    expect((await create(gateway, site)).status).toBe(403)
  })
})

test.each([
  [{}, 'Basic realm="Rivulet"'],
  [{ 'sec-fetch-mode': 'cors' }, 'Basic realm="Rivulet"'],
  [{ 'sec-fetch-site': 'same-origin' }, 'Bearer realm="Rivulet"'],
  [{ 'sec-fetch-mode': 'navigate' }, 'Bearer realm="Rivulet"'],
  [{ 'upgrade-insecure-requests': '1' }, 'Bearer realm="Rivulet"'],
  [{ origin: 'http://sync.example' }, 'Bearer realm="Rivulet"'],
])('with %j and no right credentials, %s is asked for', async (headers, expected) => {
  const gateway = gatewayOf()
  for (const credentials of [
    {},
    basic(ACCOUNT, 'wrong'),
    { authorization: 'Basic !' },
    { authorization: 'Digest x' },
  ]) {
    const answer = await create(gateway, { ...headers, ...credentials })
    expect([answer.status, answer.headers.get('www-authenticate')]).toEqual([401, expected])
  }
})
