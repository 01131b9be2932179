import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { createRequire } from 'node:module'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { type BrowserContext, chromium, type Page } from 'playwright-core'
import { createHub } from 'rivulet'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { findExecutable } from '../../../../test/support/find-executable.ts'
import { createGateway, type GatewayLog, serve } from '../../src/index.ts'
import { ApiClient } from '../support/api-client.ts'
import { SERVICE } from '../support/served-gateway.ts'
import { KEYS, tokenOf, wsUrlOf } from '../support/sync-client.ts'

const SDK_FOLDER = dirname(createRequire(import.meta.url).resolve('twilio-sync'))
const SDK = readFileSync(join(SDK_FOLDER, 'twilio-sync.min.js'), 'utf8')
const CHROMIUM = [
  ...['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-sync'],
  ...['--disable-background-networking', '--disable-component-update'],
]
const profile = mkdtempSync(join(tmpdir(), 'rivulet-chromium-'))
let browser: BrowserContext
let pages: Server

beforeAll(async () => {
  browser = await chromium.launchPersistentContext(profile, {
    executablePath: findExecutable('chromium'),
    headless: true,
    args: CHROMIUM,
  })
  // From this machine: other pages may not open sockets to it, and one that a test makes up counts as another.
  pages = createServer((_request, response) => {
    response.setHeader('content-type', 'text/html')
    response.end(`<!doctype html><meta charset="utf-8"><script>${SDK}</script>`)
  })
  await once(pages.listen(0, '127.0.0.1'), 'listening')
})
afterAll(async () => {
  await browser?.close()
  pages?.close()
  rmSync(profile, { recursive: true, force: true })
})

/** What the pages keep in their window. */
interface Kept {
  client: { connectionState: string }
  stream: { sid: string; publishMessage(value: object): Promise<unknown>; removeStream(): Promise<void> }
  heard: { value: unknown; isLocal: boolean }[]
  removals: boolean[]
}

async function start(port = 0) {
  const hub = createHub()
  const routes: string[] = []
  const debug: GatewayLog['debug'] = (fields) =>
    void ('method' in fields && routes.push(String(fields.method)))
  const log = { debug, info() {}, warn() {}, error() {} }
  const gateway = createGateway({ services: { [SERVICE]: hub }, keys: KEYS, log })
  const server = await serve(gateway, { port })
  onTestFinished(async () => {
    await server.close({ timeoutMs: 500 })
    await hub.close()
  })
  return { server, gateway, url: server.url, routes, api: new ApiClient(server.url) }
}

async function tab(problems: string[]): Promise<Page> {
  const page = await browser.newPage()
  onTestFinished(() => page.close())
  page.on('pageerror', (error) => problems.push(String(error)))
  await page.goto(`http://127.0.0.1:${(pages.address() as AddressInfo).port}/`)
  return page
}

/** Opens a stream in a page, and waits until it is subscribed to. Gives its sid. */
function open(page: Page, url: string, name: string, identity = 'alice'): Promise<string> {
  return page.evaluate(
    async ({ uri, token, name }) => {
      // biome-ignore lint/suspicious/noExplicitAny: the bundle has no types.
      const kept = globalThis as any
      const retryPolicy = { min: 20, max: 100, randomness: 0 }
      kept.client ??= new kept.Twilio.Sync.Client(token, {
        twilsock: { uri },
        retryPolicy,
        logLevel: 'silent',
      })
      kept.stream = await kept.client.stream(name)
      kept.heard = []
      kept.removals = []
      kept.stream.on('removed', (event: { isLocal: boolean }) => kept.removals.push(event.isLocal))
      kept.stream.on('messagePublished', (event: { message: { data: unknown }; isLocal: boolean }) =>
        kept.heard.push({ value: event.message.data, isLocal: event.isLocal }),
      )
      await new Promise<void>((resolve) => {
        kept.stream.on('_subscriptionStateChanged', (state: string) => state === 'established' && resolve())
      })
      return kept.stream.sid
    },
    { uri: wsUrlOf(url), token: tokenOf(identity), name },
  )
}

const publish = (page: Page, value: object) =>
  page.evaluate((data) => (globalThis as unknown as Kept).stream.publishMessage(data), value)
const heardBy = async (page: Page, count: number) => {
  await page.waitForFunction((most) => (globalThis as unknown as Kept).heard.length >= most, count)
  return page.evaluate(() => (globalThis as unknown as Kept).heard)
}

describe('the official client SDK in Chromium', () => {
  test('lets two tabs of one user hear each other, and removes a stream for both', async () => {
    const { url, api } = await start()
    const problems: string[] = []
    const [here, there] = [await tab(problems), await tab(problems)]
    const sid = await open(here, url, 'a/b ☃')
    expect(await open(there, url, 'a/b ☃')).toBe(sid)
    await publish(here, { n: 1 })
    expect(await heardBy(there, 1)).toEqual([{ value: { n: 1 }, isLocal: false }])
    await publish(there, { n: 2 })
    expect(await heardBy(here, 2)).toEqual([
      { value: { n: 1 }, isLocal: true },
      { value: { n: 2 }, isLocal: false },
    ])
    await api.publish(sid, { n: 3 })
    await Promise.all([heardBy(here, 3), heardBy(there, 3)])

    await here.evaluate(() => (globalThis as unknown as Kept).stream.removeStream())
    await there.waitForFunction(() => (globalThis as unknown as Kept).removals.length > 0)
    const removals = (page: Page) => page.evaluate(() => (globalThis as unknown as Kept).removals)
    expect([await removals(here), await removals(there)]).toEqual([[true], [false]])
    expect(problems).toEqual([])
  })

  test('opens a stream from its session storage after a reload', async () => {
    const { url, api, routes } = await start()
    const problems: string[] = []
    const page = await tab(problems)
    const sid = await open(page, url, 'positions')
    const asked = routes.filter((route) => route === 'GET Stream').length
    await page.reload()
    expect(await open(page, url, 'positions')).toBe(sid)
    expect(routes.filter((route) => route === 'GET Stream')).toHaveLength(asked)
    await api.publish('positions', { n: 1 })
    expect(await heardBy(page, 1)).toEqual([{ value: { n: 1 }, isLocal: false }])
    // Another user of the tab does not get what the first one has stored.
    await page.reload()
    await open(page, url, 'positions', 'bob')
    expect(routes.filter((route) => route === 'GET Stream')).toHaveLength(asked + 1)
    expect(problems).toEqual([])
  })

  test('forgets its session storage when a gateway comes back without its streams', async () => {
    const first = await start()
    const problems: string[] = []
    const page = await tab(problems)
    const sid = await open(page, first.url, 'positions')
    await first.server.close()
    const second = await start(first.server.port)
    await page.waitForFunction(() => (globalThis as unknown as Kept).removals.length > 0)
    await page.reload()
    const anew = await open(page, second.url, 'positions')
    expect(anew).not.toBe(sid)
    await publish(page, { n: 1 })
    expect(await heardBy(page, 1)).toEqual([{ value: { n: 1 }, isLocal: true }])
    expect(second.routes.filter((route) => route === 'POST Messages')).toHaveLength(1)
    expect(second.routes.length).toBeLessThan(12)

    // Without a reload too: the next stream() of the name creates it.
    await second.server.close()
    const third = await start(first.server.port)
    await page.waitForFunction(() => (globalThis as unknown as Kept).removals.length > 0)
    const again = await open(page, third.url, 'positions')
    expect(again).not.toBe(anew)
    await publish(page, { n: 2 })
    await heardBy(page, 1)
    expect(third.routes.length).toBeLessThan(12)
    expect(problems).toEqual([])
  })
})
