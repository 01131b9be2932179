import { createGateway, type Grant, serve } from '@rivulet/twilio'
import { SignJWT } from 'jose'
import { createHub } from 'rivulet'
import { describe, expect, test } from 'vitest'
import { ApiClient, BASIC, basic } from '../support/api-client.ts'
import { ACCOUNT, ACCOUNT_KEY, SERVICE, served, TOKEN } from '../support/served-gateway.ts'
import { listenAt } from '../support/sse-client.ts'

const KEY = `SK${'5'.repeat(32)}`
const SECRET = 'a-secret-of-at-least-32-characters'
const KEYS = (grants?: Grant[]) => [ACCOUNT_KEY, { sid: KEY, secret: SECRET, ...(grants && { grants }) }]
const EVERYTHING: Grant[] = [{ allow: ['publish', 'listen', 'manage'] }]

interface TokenOptions {
  readonly kid?: string
  readonly secret?: string
  readonly grants?: unknown
  readonly expiresIn?: number | undefined
  readonly alg?: string
}

function tokenOf(options: TokenOptions = {}): Promise<string> {
  const { kid = KEY, secret = SECRET, grants = EVERYTHING, alg = 'HS256' } = options
  const expiresIn = 'expiresIn' in options ? options.expiresIn : 600
  const token = new SignJWT({ grants }).setProtectedHeader({ alg, kid })
  if (expiresIn !== undefined) token.setExpirationTime(Math.floor(Date.now() / 1000) + expiresIn)
  return token.sign(new TextEncoder().encode(secret))
}

const bearer = (token: string) => ({ authorization: `Bearer ${token}` })

describe('a key', () => {
  test('is asked for, and must be right', async () => {
    const { url } = await served({ keys: KEYS() })
    const wrong = [
      ...[{}, basic(ACCOUNT, ''), basic(ACCOUNT, `${TOKEN}x`), basic(ACCOUNT, SECRET), basic(KEY, TOKEN)],
      ...[{ authorization: 'Basic' }, { authorization: 'Basic !!!' }, { authorization: 'Digest x' }],
      ...[{ authorization: `Basic ${Buffer.from(ACCOUNT).toString('base64')}` }, basic('__proto__', 'x')],
    ]
    for (const headers of wrong) {
      const answer = await new ApiClient(url, headers).create()
      expect(answer).toMatchObject({ status: 401, body: { code: 20003 } })
      expect(answer.headers.get('www-authenticate')).toMatch(/^Basic /)
    }
    for (const headers of [BASIC, basic(KEY, SECRET)]) {
      expect((await new ApiClient(url, headers).create()).body.account_sid).toBe(ACCOUNT)
    }
  })

  test('allows what its grants say, on the streams and services that they name', async () => {
    const grants: Grant[] = [
      { service: SERVICE, streams: 'orders/*', allow: ['publish'] },
      { streams: 'news*', allow: ['listen'] },
      { service: `IS${'9'.repeat(32)}`, allow: ['manage'] },
    ]
    const { url } = await served({ keys: KEYS(grants) })
    const owner = new ApiClient(url)
    for (const UniqueName of ['orders/1', 'news', 'secret']) await owner.create({ UniqueName })
    const limited = new ApiClient(url, basic(KEY, SECRET))
    const statusOf = async (name: string) => [
      (await limited.fetch(name)).status,
      (await limited.publish(name, {})).status,
      (
        await limited
          .send('GET', limited.messagesOf(name), undefined, { accept: 'text/event-stream' })
          .catch(() => ({ status: 0 }))
      ).status,
      (await limited.update(name, { Ttl: '0' })).status,
      (await limited.remove(name)).status,
    ]
    expect(await statusOf('orders/1')).toEqual([200, 201, 403, 403, 403])
    expect(await statusOf('secret')).toEqual([403, 403, 403, 403, 403])
    expect((await limited.fetch('nothing')).status).toBe(403)
    expect((await limited.fetch('orders/nothing')).status).toBe(404)
    expect((await limited.create({ UniqueName: 'orders/2' })).status).toBe(403)
    expect((await limited.list()).status).toBe(403)
    expect((await limited.publish('news', {})).status).toBe(403)
    await listenAt(limited.messagesOf('news'), basic(KEY, SECRET))
  })

  test('lists the streams that it manages', async () => {
    const { url } = await served({ keys: KEYS([{ streams: 'a*', allow: ['manage'] }]) })
    const owner = new ApiClient(url)
    for (const UniqueName of ['a1', 'b1', 'a2']) await owner.create({ UniqueName })
    const { body } = await new ApiClient(url, basic(KEY, SECRET)).list()
    expect(body.streams.map((stream: { unique_name: string }) => stream.unique_name)).toEqual(['a1', 'a2'])
  })
})

describe('a token', () => {
  test('stands for a part of its key', async () => {
    const { url } = await served({ keys: KEYS([{ streams: 'a*', allow: ['publish', 'listen'] }]) })
    const owner = new ApiClient(url)
    for (const UniqueName of ['a1', 'a2', 'b']) await owner.create({ UniqueName })
    const grants = [{ streams: '*1', allow: ['publish', 'manage'] }]
    const holder = new ApiClient(url, bearer(await tokenOf({ grants })))
    expect((await holder.publish('a1', {})).status).toBe(201)
    expect((await holder.publish('a2', {})).status).toBe(403)
    expect((await holder.remove('a1')).status).toBe(403)
    const wide = new ApiClient(url, bearer(await tokenOf()))
    expect((await wide.publish('a2', {})).status).toBe(201)
    expect((await wide.publish('b', {})).status).toBe(403)
  })

  test('is refused unless everything about it is right', async () => {
    const short = `SK${'6'.repeat(32)}`
    const { url } = await served({ keys: [...KEYS(), { sid: short, secret: 'short' }] })
    const none = Buffer.from(JSON.stringify({ alg: 'none', kid: KEY })).toString('base64url')
    const [, payload] = (await tokenOf()).split('.')
    const tokens = [
      tokenOf({ secret: `${SECRET}x` }),
      tokenOf({ kid: ACCOUNT, secret: TOKEN }),
      tokenOf({ kid: short, secret: 'short' }),
      tokenOf({ kid: 'SK' }),
      tokenOf({ alg: 'HS512', secret: SECRET.repeat(2) }),
      tokenOf({ expiresIn: undefined }),
      tokenOf({ expiresIn: -1 }),
      tokenOf({ expiresIn: 3700 }),
      tokenOf({ grants: null }),
      tokenOf({ grants: 'everything' }),
      tokenOf({ grants: [{ allow: ['everything'] }] }),
      tokenOf({ grants: [{ stream: 'a', allow: ['publish'] }] }),
      ...[`${none}.${payload}.`, 'x', '', 'a.b.c'],
      // Decoders that pass over it would give one token many forms, each with limits of its own.
      tokenOf().then((token) => `${token.slice(0, -5)}\t${token.slice(-5)}`),
      tokenOf().then((token) => `${token}=`),
    ]
    for (const token of await Promise.all(tokens)) {
      const answer = await new ApiClient(url, bearer(token)).create()
      expect(answer).toMatchObject({ status: 401, body: { code: 20003 } })
    }
    const last = await new ApiClient(url, bearer('x')).create()
    expect(last.headers.get('www-authenticate')).toMatch(/^Bearer /)
    expect((await new ApiClient(url, bearer(await tokenOf())).create()).status).toBe(201)
  })

  test('may stand in the query, for EventSource, and ends its listener when it ends', async () => {
    const { url } = await served({ keys: KEYS() })
    const owner = new ApiClient(url)
    await owner.create({ UniqueName: 'a' })
    const token = await tokenOf({ expiresIn: 2 })
    const client = await listenAt(`${owner.messagesOf('a')}?token=${token}`)
    await owner.publish('a', { n: 1 })
    await client.ended
    expect(client.events.map(({ event, data }) => [event, data])).toEqual([
      ['messagePublished', { n: 1 }],
      ['closing', { reason: 'tokenExpired' }],
    ])
    await expect(listenAt(`${owner.messagesOf('a')}?token=${token}`)).rejects.toMatchObject({
      message: expect.stringContaining('401'),
    })
  })

  test('and a secret never stand in the log', async () => {
    const lines: string[] = []
    const write = (fields: object, message: string) => lines.push(`${message} ${JSON.stringify(fields)}`)
    const log = { debug: write, info: write, warn: write, error: write }
    const { url } = await served({ keys: KEYS(), log })
    const token = await tokenOf()
    await fetch(`${url}/v1/Services/${SERVICE}/Streams/${token}/Messages?token=${token}`)
    await fetch(`${url}/${token}?token=${token}`)
    await new ApiClient(url, basic(KEY, 'wrong-secret')).publish('a', { password: 'swordfish' })
    expect(lines.length).toBeGreaterThanOrEqual(3)
    for (const secret of [token, 'wrong-secret', 'swordfish']) expect(lines.join('\n')).not.toContain(secret)
  })
})

describe('pages of other origins', () => {
  const preflight = {
    'access-control-request-method': 'POST',
    'access-control-request-headers': 'authorization',
  }

  test('may ask only when they are listed', async () => {
    const { url } = await served({ corsOrigins: ['https://app.example'] })
    const api = new ApiClient(url)
    const ask = (origin: string) =>
      fetch(api.messagesOf('a'), { method: 'OPTIONS', headers: { ...preflight, origin } })
    const listed = await ask('https://app.example')
    expect([listed.status, listed.headers.get('access-control-allow-origin')]).toEqual([
      204,
      'https://app.example',
    ])
    expect((await ask('https://evil.example')).headers.get('access-control-allow-origin')).toBeNull()
    const answer = await api.send(
      'POST',
      `${url}/v1/Services/${SERVICE}/Streams`,
      {},
      { origin: 'https://app.example' },
    )
    expect(answer.headers.get('access-control-allow-origin')).toBe('https://app.example')
    const refused = await new ApiClient(url, {}).send('GET', api.urlOf('a'), undefined, {
      origin: 'https://app.example',
    })
    expect([refused.status, refused.headers.get('access-control-allow-origin')]).toEqual([
      401,
      'https://app.example',
    ])
  })
})

test.each<unknown>([
  'https://app.example',
  ['app.example'],
  ['https://app.example/'],
  ['https://App.example'],
  ['null'],
  [5],
])('an origin that no browser sends is refused: %j', async (given) => {
  const hub = createHub()
  const corsOrigins = given as string[]
  expect(() => createGateway({ hub, keys: KEYS(), corsOrigins })).toThrow(
    expect.objectContaining({ code: 'INVALID_OPTIONS' }),
  )
  await createGateway({
    hub,
    keys: KEYS(),
    corsOrigins: ['*', 'http://localhost:1', 'capacitor://localhost'],
  }).close()
  await hub.close()
})

describe('a gateway without keys', () => {
  test('does not start unless it is told to be open, and then on this machine only', async () => {
    const hub = createHub()
    expect(() => createGateway({ hub })).toThrow(/no keys/)
    expect(() => createGateway({ hub, open: true, keys: [ACCOUNT_KEY] })).toThrow(/either/)
    expect(() => createGateway({ hub, open: true, corsOrigins: ['*'] })).toThrow(/one by one/)
    expect(() => createGateway({ hub, open: 'false' as never })).toThrow(/true or false/)
    // A part of a text would count as one of a list.
    for (const name of ['corsOrigins', 'allowedHosts']) {
      expect(() => createGateway({ hub, open: true, [name]: 'https://app.example.com' })).toThrow(/list/)
    }
    const gateway = createGateway({ hub, open: true })
    for (const hostname of ['0.0.0.0', '::', '192.0.2.1', 'example.com']) {
      await expect(serve(gateway, { port: 0, hostname })).rejects.toMatchObject({ code: 'INVALID_OPTIONS' })
    }
    await gateway.close()
    await hub.close()
  })

  const cases: [what: string, headers: Record<string, string>, status: number][] = [
    ['a program', {}, 201],
    ['its own page', { origin: 'http://localhost', 'sec-fetch-site': 'same-origin' }, 201],
    ['somebody at the address bar', { 'sec-fetch-site': 'none' }, 201],
    ['a listed page', { origin: 'http://localhost:3000', 'sec-fetch-site': 'same-site' }, 201],
    ['a form of another site', { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' }, 403],
    ['a page without a name', { origin: 'null' }, 403],
    ['another port of this machine', { origin: 'http://localhost:9999' }, 403],
    ['another site without an origin', { 'sec-fetch-site': 'cross-site' }, 403],
    ['a page of the same site', { 'sec-fetch-site': 'same-site' }, 403],
  ]

  test.each(cases)('answers %s as it should', async (_what, headers, status) => {
    const hub = createHub()
    const gateway = createGateway({
      hub,
      open: true,
      corsOrigins: ['http://localhost:3000'],
      allowedHosts: ['dev'],
    })
    const ask = (host: string) =>
      gateway.fetch(new Request(`http://${host}/v1/Services/default/Streams`, { method: 'POST', headers }))
    const answer = await ask('localhost')
    expect(answer.status).toBe(status)
    // A name that an attacker lets point to this machine.
    expect((await ask('rebound.example')).status).toBe(403)
    if (status === 201 && !('origin' in headers)) {
      for (const host of ['127.0.0.1', '[::1]:8080', 'dev', 'LOCALHOST:1'])
        expect((await ask(host)).status).toBe(201)
    }
    await gateway.close()
    await hub.close()
  })
})

test.each([
  [{ sid: 'AC1', secret: 'hidden' }, /sid of a key/],
  [{ sid: ACCOUNT, secret: '' }, /has no secret/],
  [{ sid: ACCOUNT, secret: 'hidden', grants: [{ allow: ['fly'] as never }] }, /allows a list/],
  [{ sid: ACCOUNT, secret: 'hidden', grants: [{ streams: 1 as never, allow: [] }] }, /pattern/],
])('a key that is wrong is refused without telling its secret: %j', (key, message) => {
  const make = () => createGateway({ hub: createHub(), keys: [key] })
  expect(make).toThrow(message)
  expect(make).not.toThrow(/hidden/)
})
