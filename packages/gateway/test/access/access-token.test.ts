import { createGateway, DEFAULT_SERVICE_SID, type Grant } from '@rivulet/twilio'
import { createHub } from 'rivulet'
import { describe, expect, onTestFinished, test } from 'vitest'
import { KeyRing } from '../../src/access/key-ring.ts'
import { verifyAccessToken } from '../../src/access/token.ts'
import { accessToken, forgedAccessToken, SIGNER } from '../support/access-token.ts'
import { ApiClient, basic } from '../support/api-client.ts'
import { ACCOUNT, ACCOUNT_KEY, SERVICE, served } from '../support/served-gateway.ts'
import { listenAt } from '../support/sse-client.ts'

const OTHER_SERVICE = `IS${'9'.repeat(32)}`
const OTHER_ACCOUNT = `AC${'8'.repeat(32)}`
const SERVICES = new Map([
  [SERVICE, {}],
  [OTHER_SERVICE, {}],
])
const HOUR_MS = 3_600_000
const MINUTE_MS = 60_000

const bearer = (token: string) => ({ authorization: `Bearer ${token}` })

function verify(
  token: string,
  nowMs = Date.now(),
  accountSid: string | undefined = ACCOUNT,
  keys = [SIGNER],
) {
  return verifyAccessToken(token, new KeyRing(keys), SERVICES, accountSid, nowMs)
}

describe("an access token of Twilio's package", () => {
  test('publishes, listens and fetches in its service, and leaves managing to keys', async () => {
    const { url } = await served({ keys: [ACCOUNT_KEY, SIGNER] })
    const owner = new ApiClient(url)
    await owner.create({ UniqueName: 'a' })
    const token = accessToken()
    const holder = new ApiClient(url, bearer(token))
    const client = await listenAt(`${owner.messagesOf('a')}?token=${token}`)
    expect((await holder.publish('a', { n: 1 })).status).toBe(201)
    expect((await holder.fetch('a')).status).toBe(200)
    await client.count(1)
    expect(client.events).toMatchObject([{ event: 'messagePublished', data: { n: 1 } }])
    const managing = [
      holder.create({ UniqueName: 'b' }),
      holder.list(),
      holder.update('a', { Ttl: '5' }),
      holder.remove('a'),
    ]
    for (const answer of await Promise.all(managing)) {
      expect(answer).toMatchObject({ status: 403, body: { code: 20403 } })
    }
    expect((await owner.fetch('b')).status).toBe(404)
  })

  test('reaches no other service', async () => {
    const hubs = [createHub(), createHub()] as const
    const services = { [SERVICE]: hubs[0], [OTHER_SERVICE]: hubs[1] }
    const { url } = await served({ services, keys: [ACCOUNT_KEY, SIGNER] })
    onTestFinished(() => Promise.all(hubs.map((hub) => hub.close())).then(() => {}))
    for (const service of [SERVICE, OTHER_SERVICE]) {
      await new ApiClient(url, undefined, service).create({ UniqueName: 'a' })
    }
    const statusOf = async (parts: { service?: string }, service: string) =>
      (await new ApiClient(url, bearer(accessToken(parts)), service).publish('a', {})).status
    expect(await statusOf({}, SERVICE)).toBe(201)
    expect(await statusOf({}, 'default')).toBe(201)
    expect(await statusOf({}, OTHER_SERVICE)).toBe(403)
    expect(await statusOf({ service: 'default' }, SERVICE)).toBe(201)
    expect(await statusOf({ service: 'default' }, OTHER_SERVICE)).toBe(403)
    expect(await statusOf({ service: OTHER_SERVICE }, OTHER_SERVICE)).toBe(201)
    expect(await statusOf({ service: `IS${'7'.repeat(32)}` }, SERVICE)).toBe(401)
  })

  test('goes no further than its key', async () => {
    const grants: Grant[] = [{ service: SERVICE, streams: 'a*', allow: ['publish', 'manage'] }]
    const { url } = await served({ keys: [ACCOUNT_KEY, { ...SIGNER, grants }] })
    const owner = new ApiClient(url)
    for (const UniqueName of ['a', 'b']) await owner.create({ UniqueName })
    const holder = new ApiClient(url, bearer(accessToken()))
    expect((await holder.publish('a', {})).status).toBe(201)
    expect((await holder.publish('b', {})).status).toBe(403)
    expect((await holder.remove('a')).status).toBe(403)
    await expect(listenAt(owner.messagesOf('a'), bearer(accessToken()))).rejects.toMatchObject({
      message: expect.stringContaining('403'),
    })
  })

  test('is taken wherever the page that has it is', async () => {
    const { url } = await served({ keys: [ACCOUNT_KEY, SIGNER] })
    await new ApiClient(url).create({ UniqueName: 'a' })
    const page = { origin: 'https://app.example', 'sec-fetch-site': 'cross-site' }
    const holder = new ApiClient(url, { ...bearer(accessToken()), ...page })
    expect((await holder.publish('a', {})).status).toBe(201)
  })

  test('tells who has it, where, and until when', async () => {
    const nowMs = Date.now()
    const verified = await verify(accessToken({ identity: 'alice@example.com', ttl: 300 }), nowMs)
    if (!verified.ok) throw new Error('it was refused')
    const { caller } = verified
    expect(caller).toMatchObject({
      keySid: SIGNER.sid,
      identity: 'alice@example.com',
      serviceSid: SERVICE,
      holder: `${SIGNER.sid}/alice@example.com`,
    })
    for (const action of ['publish', 'listen', 'manage'] as const) {
      expect(caller.may(action, SERVICE, 'a')).toBe(true)
      expect(caller.may(action, OTHER_SERVICE, 'a')).toBe(false)
    }
    // A minute later than it says, for the difference between clocks.
    const lateMs = (caller.expiresMs as number) - nowMs - 360_000
    expect(lateMs).toBeGreaterThan(-1000)
    expect(lateMs).toBeLessThanOrEqual(0)
  })

  const times: [what: string, parts: { ttl?: number; nbf?: number }, afterMs: number, expected: string][] = [
    ['the default time to live', {}, 0, 'ok'],
    ['the default, on a clock a minute behind', {}, -MINUTE_MS + 1000, 'ok'],
    ['the default, on a clock two minutes behind', {}, -2 * MINUTE_MS, 'tooLong'],
    ['the default, shortly before its end', {}, HOUR_MS - 1000, 'ok'],
    // Tokens tell whole seconds, and the clock goes on between making one and looking.
    ['the default, shortly after its end', {}, HOUR_MS + MINUTE_MS - 5000, 'ok'],
    ['the default, a minute after its end', {}, HOUR_MS + MINUTE_MS + 1000, 'expired'],
    ['a short time to live', { ttl: 5 }, 0, 'ok'],
    ['a short time to live, long after it', { ttl: 5 }, 2 * MINUTE_MS, 'expired'],
    ['a day', { ttl: 86_400 }, 0, 'tooLong'],
    ['a beginning in half a minute', { nbf: nowSeconds() + 30 }, 0, 'ok'],
    ['a beginning in five minutes', { nbf: nowSeconds() + 300 }, 0, 'invalid'],
    ['a beginning five minutes ago', { nbf: nowSeconds() + 300 }, 5 * MINUTE_MS, 'ok'],
  ]

  test.each(times)('with %s is told right', async (_what, parts, afterMs, expected) => {
    const verified = await verify(accessToken(parts), Date.now() + afterMs)
    expect(verified.ok ? 'ok' : verified.reason).toBe(expected)
  })

  test('ends its listener when it ends, and is refused from then on', async () => {
    const { url } = await served({ keys: [ACCOUNT_KEY, SIGNER] })
    const owner = new ApiClient(url)
    await owner.create({ UniqueName: 'a' })
    const token = accessToken({ ttl: -56 })
    const client = await listenAt(`${owner.messagesOf('a')}?token=${token}`)
    await client.ended
    expect(client.events.at(-1)).toMatchObject({ event: 'closing', data: { reason: 'tokenExpired' } })
    const refused = await new ApiClient(url, bearer(token)).publish('a', {})
    expect(refused).toMatchObject({ status: 401, body: { code: 20003 } })
  })

  test('is for the account that is known, or else for any', async () => {
    const foreign = accessToken({ account: OTHER_ACCOUNT })
    expect((await verify(foreign)).ok).toBe(false)
    expect((await verify(foreign, Date.now(), OTHER_ACCOUNT)).ok).toBe(true)
    const services = new Map([[SERVICE, {}]])
    const without = (token: string) =>
      verifyAccessToken(token, new KeyRing([SIGNER]), services, undefined, Date.now())
    expect((await without(foreign)).ok).toBe(true)
    for (const sub of ['AC1', '', `${OTHER_ACCOUNT}0`, [OTHER_ACCOUNT], null]) {
      expect((await without(await forgedAccessToken({}, { sub }))).ok, String(sub)).toBe(false)
    }
  })

  test.each([
    [{ keys: [SIGNER] }, OTHER_ACCOUNT, 201],
    [{ keys: [SIGNER], accountSid: ACCOUNT }, OTHER_ACCOUNT, 401],
    [{ keys: [SIGNER], accountSid: ACCOUNT }, ACCOUNT, 201],
    [{ keys: [SIGNER, ACCOUNT_KEY] }, OTHER_ACCOUNT, 401],
  ])('with the options %j and the account %s is answered %i', async (options, account, status) => {
    const { url } = await served(options)
    await new ApiClient(url, basic(SIGNER.sid, SIGNER.secret)).create({ UniqueName: 'a' })
    expect((await new ApiClient(url, bearer(accessToken({ account }))).publish('a', {})).status).toBe(status)
  })

  test('belongs to the first service of a gateway with one hub', async () => {
    const hub = createHub()
    const gateway = createGateway({ hub, keys: [SIGNER] })
    const ask = (service: string) =>
      gateway.fetch(
        new Request('http://localhost/v1/Services/default/Streams/a', {
          headers: bearer(accessToken({ service })),
        }),
      )
    // The token is taken, and there is no such stream.
    for (const service of ['default', DEFAULT_SERVICE_SID]) expect((await ask(service)).status).toBe(404)
    expect((await ask(SERVICE)).status).toBe(401)
    await gateway.close()
    await hub.close()
  })
})

function nowSeconds(): number {
  return Math.floor(Date.now() / 1000)
}
