import { encodeNumbered, encodeText, KIND } from '@rivulet/websocket/protocol'
import { describe, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { eventually } from '../../../../test/support/live.ts'
import { accessToken, SIGNER } from '../support/access-token.ts'
import { frameOf, topicOf as topicIn } from '../support/frames.ts'
import { type LetInPage, openRawPage, rawPageLetIn } from '../support/let-in-page.ts'
import { MeasuredGateway } from '../support/measured-gateway.ts'
import { RawClient, requestText } from '../support/raw-client.ts'
import type { RawPage } from '../support/raw-page.ts'
import { ACCOUNT_KEY } from '../support/served-gateway.ts'
import { browserToken, readyPage, servedPages } from '../support/served-pages.ts'

const MOST_MIB = 100
const PENDING_CONNECTIONS = 400
const PAGES = 20
const KEYS = [ACCOUNT_KEY, SIGNER]
const HANDSHAKE = requestText('/rivulet', {
  Connection: 'Upgrade',
  Upgrade: 'websocket',
  'Sec-WebSocket-Version': '13',
  'Sec-WebSocket-Key': 'AAAAAAAAAAAAAAAAAAAAAA==',
})
// RFC 6455, 5.2: a final binary message, masked with zeros, whose length is 256 KiB.
const HEAD = Buffer.from([0x82, 0xff, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0])

describe('a page that breaks the rules', () => {
  test.each([
    ['says something else first', (page: RawPage) => page.send(encodeNumbered(KIND.barrier, 0))],
    ['says hello in another version', (page: RawPage) => page.hello({ version: 2, hub: 'default' })],
    ['says hello in no form', (page: RawPage) => page.text('hello', '{')],
    ['sends a text', (page: RawPage) => page.send('hello')],
    ['sends nothing', (page: RawPage) => page.send(Buffer.alloc(0))],
    ['sends a kind that there is not', (page: RawPage) => page.send(Buffer.from([99]))],
  ])('since it %s, is ended for good', async (_what, act) => {
    const { url, gateway } = await servedPages()
    const page = await openRawPage(url)
    act(page)
    const { code } = await page.closed
    expect(code).toBeGreaterThanOrEqual(4400)
    expect(code).toBeLessThan(4500)
    expect(gateway.counts.pages).toBe(0)
  })

  test('is ended when it says nothing, or no more', async () => {
    const { url, gateway } = await servedPages()
    const silent = await openRawPage(url)
    const page = await rawPageLetIn(url, accessToken())
    page.answersPings = false
    await Promise.all([silent.closed, page.closed])
    await eventually(() => gateway.counts.pages).toBe(0)
  })

  test('publishes under no other page’s name, and none of the hub’s', async () => {
    const { url, hub, gateway } = await servedPages()
    const heard: unknown[] = []
    await hub.stream('a').subscribe(({ data }) => heard.push(data)).ready
    const mine = await rawPageLetIn(url, accessToken({ identity: 'mine' }))
    const yours = await rawPageLetIn(url, accessToken({ identity: 'yours' }))
    const own = hub.stream('a').publish({ of: 'the hub' }).sid.slice(2, 14)
    await hub.flush()
    mine.topical('frame', topicOf('a'), frameOf(mine.prefix, 1, { of: 'mine' }))
    await mine.barrier()
    for (const prefix of [mine.prefix, own])
      yours.topical('frame', topicOf('a'), frameOf(prefix, 2, { of: 'yours' }))
    await yours.barrier()
    yours.topical('frame', topicOf('a'), frameOf(yours.prefix, 1, { of: 'yours, rightly' }))
    await yours.barrier()
    await eventually(() => heard).toEqual([{ of: 'the hub' }, { of: 'mine' }, { of: 'yours, rightly' }])
    expect(yours.all('fault').length).toBeGreaterThanOrEqual(1)
    expect(gateway.counts).toMatchObject({ received: 2, refused: 2 })
  })

  test('publishes no frame that is malformed, too large, without sid or valid topic', async () => {
    const { url, hub, gateway } = await servedPages()
    const heard: unknown[] = []
    await hub.stream('a').subscribe(({ data }) => heard.push(data)).ready
    const page = await rawPageLetIn(url, accessToken())
    const wrong: [topic: string, frame: string][] = [
      ...[
        [topicOf('a'), '{'],
        [topicOf('a'), ''],
        [topicOf('a'), '{"data":{}}'],
      ],
      [topicOf('a'), frameOf(page.prefix, 1, { filling: 'x'.repeat(262_144) })],
      ...['a', 'rivulet/default/', 'rivulet/other/a', 'rivulet/default/a/b', 'rivulet/default/#'].map(
        (topic) => [topic, frameOf(page.prefix, 1)],
      ),
    ] as [string, string][]
    for (const [topic, frame] of wrong) {
      if (isClosed(page)) break
      page.topical('frame', topic, frame)
    }
    await page.barrier()
    expect(heard).toEqual([])
    expect(gateway.counts).toMatchObject({ received: 0, refused: wrong.length, pages: 1 })
  })

  test('joins no more streams than it may', async () => {
    const { url, gateway } = await servedPages({ limits: { pages: { maxJoinsPerPage: 10 } } })
    const page = await rawPageLetIn(url, accessToken())
    for (let id = 1; id <= 15; id++) ask(page, id, `s${id}`)
    await page.barrier()
    await eventually(() => [page.all('joined').length, page.all('refused').length]).toEqual([10, 5])
    expect(gateway.counts.joins).toBe(10)
  })

  test('joins no more streams than all pages of its identity may', async () => {
    const { url, gateway } = await servedPages({ limits: { pages: { maxJoinsPerIdentity: 10 } } })
    const pages = [await rawPageLetIn(url, accessToken()), await rawPageLetIn(url, accessToken())]
    for (const page of pages) {
      for (let id = 1; id <= 8; id++) ask(page, id, `s${id}`)
      await page.barrier()
    }
    const answers = () => pages.map((page) => [page.all('joined').length, page.all('refused').length])
    await eventually(answers).toEqual([
      [8, 0],
      [2, 6],
    ])
    expect(gateway.counts.joins).toBe(10)
  })

  test('is an identity of its own where there are no keys', async () => {
    const { url, gateway } = await servedPages({ open: true, limits: { pages: { maxJoinsPerIdentity: 8 } } })
    const pages = [await rawPageLetIn(url, ''), await rawPageLetIn(url, '')]
    for (const page of pages) for (let id = 1; id <= 9; id++) ask(page, id, `s${id}`)
    for (const page of pages) await page.barrier()
    expect(gateway.counts).toMatchObject({ joins: 16, refused: 2 })
  })

  test('is heard no oftener than it may publish, whatever it sends', async () => {
    const { url, hub, gateway } = await servedPages({ limits: { pages: { ratePerSecond: 5, burst: 5 } } })
    const other = await readyPage(url, { token: () => browserToken() })
    let heard = 0
    await other.stream('a').subscribe(() => heard++).ready
    const page = await rawPageLetIn(url, accessToken())
    const startMs = performance.now()
    for (let n = 0; n < 2000; n++) page.topical('frame', topicOf('a'), frameOf(page.prefix, n))
    await page.barrier()
    await other.flush()
    // A burst and a second of tolerance, and what leaked meanwhile.
    const most = 10 + Math.ceil((5 * (performance.now() - startMs)) / 1000) + 1
    await eventually(() => gateway.counts.refused).toBeGreaterThanOrEqual(2000 - most)
    expect(heard).toBeLessThanOrEqual(most)
    expect(hub.ledger().dropped.malformed).toBe(0)
  })
})

describe('memory', { timeout: 120_000 }, () => {
  test('is bounded for pending connections that send most of a message and stop', async () => {
    const gateway = await MeasuredGateway.start()
    const before = await gateway.settled()
    const clients = await Promise.all(
      Array.from({ length: PENDING_CONNECTIONS }, () => RawClient.connect(gateway.port)),
    )
    const most = Buffer.concat([Buffer.from(HANDSHAKE), HEAD, Buffer.alloc(262_000)])
    for (const client of clients) client.read()
    for (const client of clients) void client.send(most)
    await Promise.all(clients.map(({ closed }) => closed))
    const after = await gateway.settled()
    expect(clients.filter(({ received }) => received.startsWith('HTTP/1.1 101 '))).toHaveLength(
      PENDING_CONNECTIONS,
    )
    expect(after.peakMiB - before.peakMiB).toBeLessThan(MOST_MIB)
  })

  test('is bounded for pages that publish, join and send barriers as fast as they can', async () => {
    const gateway = await MeasuredGateway.start({ keys: KEYS })
    const before = await gateway.settled()
    const filling = 'x'.repeat(4000)
    const floods: ((page: LetInPage, n: number) => void)[] = [
      (page, n) => page.topical('frame', topicOf(`s${n % 50}`), frameOf(page.prefix, n, { filling })),
      (page, n) => ask(page, n, `s${n}-${'y'.repeat(300)}`),
      (page, n) => page.topical('leave', topicOf(`s${n}`)),
      (page, n) => page.topical('frame', topicOf('a'), frameOf(n.toString(16).padStart(12, '0'), 1)),
      (page) => page.send(encodeNumbered(KIND.barrier, 0)),
      (page) => page.send(encodeText(KIND.token, 'x'.repeat(8000))),
    ]
    for (const flood of floods) {
      // Many floods end the pages that make them.
      const pages = await letInAll(gateway.url)
      for (let n = 0; n < 2000; n++) {
        for (const page of pages) if (!isClosed(page)) flood(page, n)
        // So that what this process has not sent yet stays small.
        if (n % 200 === 199)
          await Promise.all(pages.map((page) => isClosed(page) || page.barrier().catch(() => {})))
      }
      for (const page of pages) page.terminate()
    }
    const after = await gateway.settled()
    expect(after.peakMiB - before.peakMiB).toBeLessThan(MOST_MIB)
    // Others are served as before.
    const page = await rawPageLetIn(gateway.url, accessToken({ identity: 'late' }))
    await page.join(topicOf('a'))
  })

  test('is not taken by pages that never read, and what they lose is counted', async () => {
    const gateway = await MeasuredGateway.start({
      keys: KEYS,
      limits: { pages: { ratePerSecond: 100_000, burst: 100_000 } },
    })
    const pages = await letInAll(gateway.url)
    for (const page of pages) {
      await page.join(topicOf('a'))
      page.socket.pause()
    }
    const before = await gateway.settled()
    let measures = before
    while (measures.dropped < PAGES && measures.pages > 0) {
      measures = await gateway.order({ do: 'publish', stream: 'a', times: 50, bytes: 60_000 })
    }
    expect(measures.dropped).toBeGreaterThanOrEqual(PAGES)
    // A mebibyte may wait for each page, beside what the kernel takes.
    expect(measures.peakMiB - before.peakMiB).toBeLessThan(MOST_MIB)
    // They answer no ping, either.
    await eventually(async () => (await gateway.order({ do: 'measure' })).pages).toBe(0)
  })

  function letInAll(url: string): Promise<LetInPage[]> {
    const tokens = Array.from({ length: PAGES }, (_, index) => accessToken({ identity: `page ${index}` }))
    return Promise.all(tokens.map((token) => rawPageLetIn(url, token)))
  }
})

function topicOf(name: string): string {
  return topicIn(name, 'default')
}

/** Asks for a stream and does not wait for the answer. */
function ask(page: RawPage, id: number, name: string): void {
  page.send(encodeNumbered(KIND.join, id, topicOf(name)))
}

function isClosed({ socket }: RawPage): boolean {
  return socket.readyState !== WebSocket.OPEN
}
