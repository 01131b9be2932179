import type { Grant } from '@rivulet/twilio'
import type { Hub } from 'rivulet'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { eventually } from '../../../../test/support/live.ts'
import { accessToken, SIGNER } from '../support/access-token.ts'
import { openRawPage } from '../support/let-in-page.ts'
import { ACCOUNT_KEY, SERVICE } from '../support/served-gateway.ts'
import { browserToken, pageHub, readyPage, servedPages } from '../support/served-pages.ts'

const OTHER_SERVICE = `IS${'9'.repeat(32)}`

/** Collects a hub's errors, each as its code and message. */
function errorsOf(hub: Hub): string[] {
  const errors: string[] = []
  hub.on('error', ({ code, message }) => errors.push(`${code}: ${message}`))
  return errors
}

describe('a page is let in', () => {
  test.each([
    ['by a token with grants of its own', () => browserToken()],
    ['by a token of Twilio’s form', () => accessToken()],
  ])('%s', async (_what, token) => {
    const { url, gateway } = await servedPages()
    await readyPage(url, { token })
    expect(gateway.counts.pages).toBe(1)
  })

  test('without a token where there are no keys', async () => {
    const { url, gateway } = await servedPages({ open: true })
    await readyPage(url)
    expect(gateway.counts.pages).toBe(1)
  })

  const refusals: [what: string, token: (() => string | Promise<string>) | undefined, reason: RegExp][] = [
    ['without a token', undefined, /wants a token/],
    ['with a token that is none', () => 'x', /not valid/],
    ['with a token that is too long', () => 'x'.repeat(8193), /not valid/],
    ['with a token of another signer', () => browserToken({ secret: 'x'.repeat(40) }), /not valid/],
    ['with a token for another service', () => accessToken({ service: OTHER_SERVICE }), /not valid/],
    [
      'with a token that allows nothing here',
      () => browserToken({ grants: [{ service: OTHER_SERVICE, allow: ['listen'] }] }),
      /allows nothing/,
    ],
  ]
  test.each(refusals)('but not %s', async (_what, token, reason) => {
    const { url, gateway } = await servedPages()
    const hub = pageHub(url, token && { token })
    await expect(hub.ready()).rejects.toMatchObject({
      code: 'TRANSPORT_FAILED',
      message: expect.stringMatching(reason),
    })
    expect(gateway.counts.pages).toBe(0)
  })

  test('once it has a token that has not expired', async () => {
    const { url } = await servedPages()
    const lives = [-10, 600]
    const hub = pageHub(url, { token: () => browserToken({ expiresInSeconds: lives.shift() ?? 600 }) })
    await hub.ready()
    expect(lives).toEqual([])
  })
})

describe('a page may do what its token says', () => {
  const grants: Grant[] = [
    { streams: 'out*', allow: ['publish'] },
    { streams: 'in*', allow: ['listen'] },
    { streams: '*managed', allow: ['manage', 'listen'] },
  ]
  const token = () => browserToken({ grants })

  test('and hears only what it may listen to', async () => {
    const { url, hub } = await servedPages()
    const page = await readyPage(url, { token })
    const errors = errorsOf(page)
    const heard: unknown[] = []
    await page.stream('in').subscribe(({ data }) => heard.push(data)).ready
    const forbidden = page.stream('out').subscribe(({ data }) => heard.push(data))
    await expect(forbidden.ready).rejects.toMatchObject({ stream: 'out' })
    forbidden.unsubscribe()
    for (const name of ['in', 'out']) hub.stream(name).publish({ name })
    await eventually(() => heard).toEqual([{ name: 'in' }])
    expect(errors.join()).toMatch(/out/)
  })

  test('and publishes only where it may', async () => {
    const { url, hub, gateway } = await servedPages()
    const page = await readyPage(url, { token })
    const errors = errorsOf(page)
    const heard: unknown[] = []
    for (const name of ['in', 'out']) await hub.stream(name).subscribe(({ data }) => heard.push(data)).ready
    for (const name of ['in', 'out']) page.stream(name).publish({ name })
    await page.flush()
    await eventually(() => heard).toEqual([{ name: 'out' }])
    await eventually(() => errors.join()).toMatch(/stream "in"/)
    expect(gateway.counts).toMatchObject({ received: 1, refused: 1 })
  })

  test('and removes only what it may manage', async () => {
    const { url, hub } = await servedPages()
    const page = await readyPage(url, { token })
    const removed: string[] = []
    for (const name of ['out', 'managed']) {
      const stream = hub.stream(name)
      stream.on('removed', () => removed.push(name))
      await stream.subscribe(() => {}).ready
    }
    for (const name of ['out', 'managed']) page.stream(name).remove()
    await page.flush()
    await eventually(() => removed).toEqual(['managed'])
  })
})

describe('keys that are replaced', () => {
  test('end their pages, which come back when they have other tokens', async () => {
    const { url, gateway } = await servedPages()
    const tokens = { secret: SIGNER.secret }
    const page = await readyPage(url, { token: () => browserToken(tokens) })
    const anew = { ...SIGNER, secret: 'another-secret-of-at-least-32-characters' }
    const statuses: string[] = []
    page.on('status', (status) => statuses.push(status))
    const heard: unknown[] = []
    const listener = await readyPage(url, { token: () => browserToken(tokens) })
    await listener.stream('a').subscribe(({ data }) => heard.push(data)).ready
    page.stream('a').publish({ key: 'old' })
    await eventually(() => heard).toHaveLength(1)
    await page.flush()
    tokens.secret = anew.secret
    gateway.setKeys([ACCOUNT_KEY, anew])
    await eventually(() => statuses).toEqual(['down', 'up'])
    await eventually(() => gateway.counts.pages).toBe(2)
    await listener.ready()
    // The sids of its streams begin otherwise now; nothing of it is refused.
    page.stream('a').publish({ key: 'new' })
    await page.flush()
    await eventually(() => heard).toEqual([{ key: 'old' }, { key: 'new' }])
    expect(page.ledger()).toMatchObject({ accepted: 2, confirmed: 2 })
    expect(gateway.counts.refused).toBe(0)
  })

  // The gateway signs twice for a page: what the key gives for all its pages, and what is the page's own.
  test.each([1, 2])('end a page that is let in just then, at signature %i', async (turn) => {
    const { url, gateway } = await servedPages()
    const token = await browserToken()
    const page = await openRawPage(url)
    const sign = crypto.subtle.sign.bind(crypto.subtle)
    let turns = 0
    const signing = vi.spyOn(crypto.subtle, 'sign').mockImplementation((...parts) => {
      turns++
      if (turns === turn) gateway.setKeys([ACCOUNT_KEY])
      return sign(...parts)
    })
    onTestFinished(() => signing.mockRestore())
    page.hello({ version: 1, hub: 'default', secret: 'a'.repeat(32), token })
    await Promise.race([page.closed, page.next('welcome')])
    expect(turns).toBeGreaterThanOrEqual(turn)
    expect(page.received).toEqual([])
    expect(gateway.counts.pages).toBe(0)
  })

  test('end their pages for good when those have no others', async () => {
    const { url, gateway } = await servedPages()
    const page = await readyPage(url, { token: () => browserToken() })
    const errors = errorsOf(page)
    gateway.setKeys([ACCOUNT_KEY])
    await eventually(() => errors.join()).toMatch(/TRANSPORT_FAILED/)
    expect(gateway.counts.pages).toBe(0)
  })
})

describe('the pages of an identity', () => {
  test.each([
    ['that a token of Twilio’s form names', () => accessToken({ identity: 'alice' })],
    ['that a token with grants names', () => browserToken({ sub: 'alice' })],
  ])('%s are limited in number', async (_what, token) => {
    const { url, gateway } = await servedPages({ limits: { pages: { maxPerIdentity: 2 } } })
    const [first] = [await readyPage(url, { token }), await readyPage(url, { token })]
    const third = pageHub(url, { token })
    const errors = errorsOf(third)
    await eventually(() => errors.join()).toMatch(/as many pages as it may have/)
    expect(gateway.counts.pages).toBe(2)
    await readyPage(url, { token: () => browserToken({ sub: 'bob' }) })
    await first?.close()
    await third.ready()
    expect(gateway.counts.pages).toBe(3)
  })

  test('count for their key, too', async () => {
    const { url } = await servedPages({ limits: { pages: { maxPerKey: 1 } } })
    await readyPage(url, { token: () => browserToken({ sub: 'alice' }) })
    const other = pageHub(url, { token: () => browserToken({ sub: 'bob' }) })
    const errors = errorsOf(other)
    await eventually(() => errors.join()).toMatch(/as many pages as it may have/)
  })

  test('count no more once they are gone, however soon', async () => {
    const { url, gateway } = await servedPages({ limits: { pages: { maxPerIdentity: 3 } } })
    for (let n = 0; n < 10; n++) {
      const page = pageHub(url, { token: () => browserToken({ sub: 'alice' }) })
      if (n % 2 === 0) await page.ready()
      await page.close()
    }
    await eventually(() => gateway.counts.pages).toBe(0)
    await readyPage(url, { token: () => browserToken({ sub: 'alice' }) })
  })
})

test('a service that pages may not join is not there for them', async () => {
  const { url } = await servedPages({
    keys: [ACCOUNT_KEY, { ...SIGNER, grants: [{ service: SERVICE, allow: [] }] }],
  })
  const page = pageHub(url, { token: () => browserToken() })
  await expect(page.ready()).rejects.toMatchObject({ code: 'TRANSPORT_FAILED' })
})

test('the oldest pending connection is evicted when there are very many', async () => {
  const { gateway, url } = await servedPages()
  const codes: (number | undefined)[] = []
  const handlers = Array.from({ length: 2001 }, (_, index) =>
    gateway.acceptPage({
      send() {},
      close: (code) => {
        codes[index] = code
      },
      terminate() {},
      bufferedBytes: 0,
    }),
  )
  expect(Object.entries(codes)).toEqual([['0', 4105]])
  const late = pageHub(url, { token: () => browserToken() })
  await late.ready()
  for (const handler of handlers) handler.closed()
})

test('a gateway without a relay takes no page over', async () => {
  const { gateway } = await servedPages({ relays: {} })
  const socket = { send() {}, close() {}, terminate() {}, bufferedBytes: 0 }
  expect(() => gateway.acceptPage(socket)).toThrow(/no relay/)
})
