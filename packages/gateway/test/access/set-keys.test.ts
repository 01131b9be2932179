import { type ApiKey, createGateway, type Grant, memoryRegistry, type StreamRegistry } from '@rivulet/twilio'
import { createHub } from 'rivulet'
import { describe, expect, onTestFinished, test } from 'vitest'
import { accessToken, SIGNER } from '../support/access-token.ts'
import { ApiClient, BASIC, basic } from '../support/api-client.ts'
import { ACCOUNT, ACCOUNT_KEY, served } from '../support/served-gateway.ts'
import { listenAt, type SseClient } from '../support/sse-client.ts'

const OTHER = { sid: `SK${'4'.repeat(32)}`, secret: 'the-secret-of-the-other-key-of-32-characters' }
const GRANTS: Grant[] = [{ streams: 'a*', allow: ['listen', 'publish'] }]

const bearer = (token: string) => ({ authorization: `Bearer ${token}` })

/** Listens to one stream: with the account, with a key, with a token of that key, and with another key. */
async function scene(keys: readonly ApiKey[]) {
  const { url, gateway } = await served({ keys })
  const owner = new ApiClient(url)
  await owner.create({ UniqueName: 'a' })
  const listen = (headers: Record<string, string>) => listenAt(owner.messagesOf('a'), headers)
  const account = await listen(BASIC)
  const signer = await listen(basic(SIGNER.sid, SIGNER.secret))
  const token = await listen(bearer(accessToken()))
  const other = await listen(basic(OTHER.sid, OTHER.secret))
  return { url, gateway, owner, account, signer, token, other }
}

const reasons = ({ events }: SseClient) =>
  events.filter(({ event }) => event === 'closing').map(({ data }) => data)
const CHANGED = [{ reason: 'keyChanged' }]

describe('other keys', () => {
  const changes: [what: string, keys: readonly ApiKey[]][] = [
    ['that lack one', [ACCOUNT_KEY, OTHER]],
    ['of which one has another secret', [ACCOUNT_KEY, { ...SIGNER, secret: `${SIGNER.secret}2` }, OTHER]],
    ['of which one has other grants', [OTHER, { ...SIGNER, grants: GRANTS }, ACCOUNT_KEY]],
  ]

  test.each(changes)(
    '%s end the listeners of that key and of its tokens, and no others',
    async (_what, keys) => {
      const { gateway, owner, account, signer, token, other } = await scene([ACCOUNT_KEY, SIGNER, OTHER])
      gateway.setKeys(keys)
      await Promise.all([signer.ended, token.ended])
      expect([reasons(signer), reasons(token)]).toEqual([CHANGED, CHANGED])
      expect(gateway.counts.listeners).toBe(2)
      expect((await owner.publish('a', { n: 1 })).status).toBe(201)
      for (const client of [account, other])
        expect((await client.count(1)).map(({ data }) => data)).toEqual([{ n: 1 }])
      expect(signer.events.map(({ event }) => event)).toEqual(['closing'])
    },
  )

  test('that are the same, in another order, end no connection', async () => {
    const narrow = { ...SIGNER, grants: GRANTS }
    const { gateway, owner, account, signer, token, other } = await scene([ACCOUNT_KEY, narrow, OTHER])
    gateway.setKeys([OTHER, { ...narrow, grants: [...GRANTS] }, ACCOUNT_KEY])
    await owner.publish('a', {})
    for (const client of [account, signer, token, other]) {
      expect((await client.count(1)).map(({ event }) => event)).toEqual(['messagePublished'])
    }
  })

  test('hold for every request from then on, tokens too', async () => {
    const { url, gateway } = await served({ keys: [ACCOUNT_KEY, SIGNER] })
    const renewed = { ...SIGNER, secret: 'the-renewed-secret-of-32-characters' }
    const old = bearer(accessToken())
    const statusOf = async (headers: Record<string, string>) =>
      (await new ApiClient(url, headers).fetch('a')).status
    expect(await statusOf(old)).toBe(404)
    gateway.setKeys([ACCOUNT_KEY, renewed, OTHER])
    expect(await statusOf(old)).toBe(401)
    expect(await statusOf(basic(SIGNER.sid, SIGNER.secret))).toBe(401)
    expect(await statusOf(basic(SIGNER.sid, renewed.secret))).toBe(404)
    expect(await statusOf(bearer(accessToken({ secret: renewed.secret })))).toBe(404)
    expect(await statusOf(basic(OTHER.sid, OTHER.secret))).toBe(404)
  })

  test('stop who was still waiting for the registry', async () => {
    const inner = memoryRegistry()
    let isAsked = () => {}
    const asked = new Promise<void>((resolve) => {
      isAsked = resolve
    })
    let answer = () => {}
    const answered = new Promise<void>((resolve) => {
      answer = resolve
    })
    const registry: StreamRegistry = {
      create: (...fields) => inner.create(...fields),
      setTtl: (...fields) => inner.setTtl(...fields),
      remove: (record) => inner.remove(record),
      page: (...fields) => inner.page(...fields),
      count: (service) => inner.count(service),
      epoch: inner.epoch,
      status: inner.status,
      onRemoved: (listener) => inner.onRemoved(listener),
      close: () => inner.close(),
      async find(service, id) {
        isAsked()
        await answered
        return inner.find(service, id)
      },
    }
    const { url, gateway } = await served({ keys: [ACCOUNT_KEY, SIGNER], registry })
    const owner = new ApiClient(url)
    await owner.create({ UniqueName: 'a' })
    const listening = listenAt(owner.messagesOf('a'), basic(SIGNER.sid, SIGNER.secret))
    await asked
    gateway.setKeys([ACCOUNT_KEY])
    answer()
    await expect(listening).rejects.toMatchObject({ message: expect.stringContaining('403') })
    expect(gateway.counts.listeners).toBe(0)
  })

  const refusals: [keys: ApiKey[], message: RegExp][] = [
    [[], /no keys/],
    [[{ ...OTHER, sid: 'hidden' }], /sid of a key/],
    [[OTHER, OTHER], /given twice/],
    [[{ ...OTHER, grants: [{ allow: ['fly'] as never }] }], /allows a list/],
    [[{ ...OTHER, grant: [] } as ApiKey], /unknown field/],
  ]

  test.each(refusals)('that are wrong change nothing: %j', async (keys, message) => {
    const { url, gateway } = await served()
    expect(() => gateway.setKeys(keys)).toThrow(message)
    expect(() => gateway.setKeys(keys)).toThrow(expect.objectContaining({ code: 'INVALID_OPTIONS' }))
    expect(() => gateway.setKeys(keys)).not.toThrow(/hidden|the-secret/)
    expect((await new ApiClient(url).fetch('a')).status).toBe(404)
    expect((await new ApiClient(url, {}).fetch('a')).status).toBe(401)
  })

  test('are nothing for a gateway that is open', async () => {
    const hub = createHub()
    const gateway = createGateway({ hub, open: true })
    onTestFinished(async () => {
      await gateway.close()
      await hub.close()
    })
    expect(() => gateway.setKeys([{ sid: ACCOUNT, secret: 'x' }])).toThrow(/open: true/)
  })
})
