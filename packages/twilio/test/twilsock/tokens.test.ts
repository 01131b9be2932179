import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { waitFor } from '../../../../test/support/wait-for.ts'
import { accessToken, SIGNER } from '../../../gateway/test/support/access-token.ts'
import { ACCOUNT_KEY } from '../../../gateway/test/support/served-gateway.ts'
import { RawSdk } from '../support/raw-sdk.ts'
import {
  connected,
  Ears,
  established,
  event,
  KEYS,
  opened,
  servedSync,
  shortToken,
  state,
  syncClient,
  tokenOf,
} from '../support/sync-client.ts'

const OTHER = { sid: `SK${'7'.repeat(32)}`, secret: 'the-secret-of-another-key-of-32-or-more' }
const OTHER_SERVICE = `IS${'4'.repeat(32)}`

async function bad() {
  return shortToken('alice', 1000, 'another-secret-of-the-api-key-of-32-characters')
}

describe('a client SDK', () => {
  test('is turned away with a bad token, until it has a right one', async () => {
    const { url, gateway } = await servedSync()
    const client = syncClient(url, await bad())
    expect(await event(client, 'connectionError')).toMatchObject({
      terminal: true,
      httpStatusCode: 401,
      errorCode: 20101,
      message: 'Connection error: Invalid Access Token',
    })
    await state(client, 'denied')
    await expect(client.stream('a')).rejects.toMatchObject({
      message: expect.stringContaining('Invalid Access Token'),
    })
    await waitFor(() => expect(gateway.counts.connections).toBe(0))
    await client.updateToken(tokenOf('alice'))
    await state(client, 'connected')
    await opened(client, 'a')
  })

  test('is turned away with tokens for a service that is not there', async () => {
    const { url } = await servedSync()
    for (const token of [tokenOf('alice', OTHER_SERVICE), 'no token', 'a.b.c', 'x'.repeat(10_000)]) {
      const client = syncClient(url, token)
      expect(await event(client, 'connectionError')).toMatchObject({ terminal: true, errorCode: 20101 })
    }
  })

  test('is told that its token has expired, and goes on with another one', async () => {
    const { url } = await servedSync()
    const client = syncClient(url, await shortToken('alice', -1000))
    const isExpired = event(client, 'tokenExpired')
    expect(await event(client, 'connectionError')).toMatchObject({ terminal: true, errorCode: 20104 })
    await isExpired
    await client.updateToken(tokenOf('alice'))
    await state(client, 'connected')
  })

  test('is warned at once of a short token, and renews it without an interruption', async () => {
    const { url, gateway, hub } = await servedSync()
    const token = await shortToken('alice', 100_000)
    const client = syncClient(url, token)
    const isAbout = event(client, 'tokenAboutToExpire')
    const stream = await opened(client, 'a')
    await isAbout
    const states: string[] = []
    client.on('connectionStateChanged', (value) => states.push(value))
    const ears = new Ears(stream)
    await client.updateToken(tokenOf('alice'))
    hub.stream('a').publish({ n: 1 })
    await ears.count(1)
    expect(states).toEqual([])
    expect(gateway.counts).toMatchObject({ connections: 1, subscriptions: 1 })
  })

  test('loses its connection when its token ends, and reconnects with a renewed one', async () => {
    const { url, hub } = await servedSync()
    const client = await connected(url)
    const stream = await opened(client, 'a')
    client.on('tokenExpired', () => void client.updateToken(tokenOf('alice')))
    const hasExpired = event(client, 'tokenExpired')
    // On a slow machine the token may end before the gateway has read it.
    await client.updateToken(await shortToken('alice', 1500)).catch(() => {})
    await hasExpired
    await state(client, 'connected')
    const ears = new Ears(stream)
    while ((await event(stream, '_subscriptionStateChanged')) !== 'established');
    hub.stream('a').publish({ n: 1 })
    expect(await ears.count(1)).toHaveLength(1)
  })

  test('cannot take another identity, or use a bad token', async () => {
    const { url } = await servedSync()
    for (const token of [tokenOf('bob'), await bad()]) {
      const client = await connected(url)
      await expect(client.updateToken(token)).rejects.toMatchObject({ status: 400, code: 51130 })
      await state(client, 'denied')
      await client.updateToken(tokenOf('alice'))
      await state(client, 'connected')
    }
  })

  test('loses its connection when its key is replaced, and reconnects with another', async () => {
    const { url, gateway } = await servedSync()
    const [client, other] = [await connected(url), await connected(url, 'bob')]
    await opened(client, 'a')
    const renewed = { ...SIGNER, secret: 'another-secret-of-at-least-32-characters' }
    const isDenied = Promise.all([state(client, 'denied'), state(other, 'denied')])
    gateway.setKeys([ACCOUNT_KEY, renewed])
    await isDenied
    expect(gateway.counts).toMatchObject({ connections: 0, subscriptions: 0 })
    await client.updateToken(await shortToken('alice', 600_000, renewed.secret))
    await state(client, 'connected')
    await opened(client, 'b')
  })

  test('is not let in by a key that is replaced while it says who it is', async () => {
    const { url, gateway } = await servedSync()
    const sdk = await new RawSdk(url).open()
    const digest = crypto.subtle.digest.bind(crypto.subtle)
    // The last step before it is let in.
    const spy = vi.spyOn(crypto.subtle, 'digest').mockImplementationOnce(async (...given) => {
      gateway.setKeys([ACCOUNT_KEY])
      return digest(...given)
    })
    onTestFinished(() => spy.mockRestore())
    await expect(sdk.init()).rejects.toMatchObject({ message: expect.stringContaining('20101') })
    await sdk.closed
    expect(gateway.counts.connections).toBe(0)
  })

  test('counts for the key that it shows last', async () => {
    const { url, gateway } = await servedSync({
      keys: [...KEYS, OTHER],
      limits: { sdk: { maxPerIdentity: 1 } },
    })
    const byOther = accessToken({ identity: 'alice', key: OTHER.sid, secret: OTHER.secret })
    const first = await (await new RawSdk(url).open()).init()
    expect((await first.ask({ method: 'update', token: byOther })).header.status.code).toBe(200)
    const second = await (await new RawSdk(url).open()).init()
    const third = await new RawSdk(url).open()
    expect((await third.ask({ method: 'init', token: byOther })).header.status.code).toBe(429)
    expect((await second.ask({ method: 'update', token: byOther })).header.status.code).toBe(429)
    await second.closed
    first.say({ method: 'close' })
    await first.closed
    await waitFor(() => expect(gateway.counts.connections).toBe(0))
    await (await new RawSdk(url).open()).init(byOther)
    await (await new RawSdk(url).open()).init()
  })

  test('loses subscriptions that its next token does not allow, and keeps the others', async () => {
    const less = { sid: `SK${'6'.repeat(32)}`, secret: 'one-more-secret-of-at-least-32-characters' }
    const grants = [{ streams: 'kept', allow: ['publish', 'listen', 'manage'] as const }]
    const { url, hub } = await servedSync({ keys: [...KEYS, { ...less, grants }] })
    const client = await connected(url)
    const [kept, lost] = [await opened(client, 'kept'), await opened(client, 'lost')]
    const isLost = event(lost, 'failure')
    const isKept = established(kept)
    const parts = { identity: 'alice', key: less.sid, secret: less.secret }
    await client.updateToken(accessToken(parts))
    expect(await isLost).toMatchObject({ status: 403, code: 54007 })
    await isKept
    const [atKept, atLost] = [new Ears(kept), new Ears(lost)]
    hub.stream('lost').publish({ n: 1 })
    hub.stream('kept').publish({ n: 1 })
    await atKept.count(1)
    expect(atLost.heard).toEqual([])
  })
})
