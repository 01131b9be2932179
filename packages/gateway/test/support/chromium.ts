import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { createRequire } from 'node:module'
import type { AddressInfo } from 'node:net'
import { dirname, join } from 'node:path'
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, expect, onTestFinished } from 'vitest'
import { findExecutable } from '../../../../test/support/find-executable.ts'

const SDK_FOLDER = dirname(createRequire(import.meta.url).resolve('twilio-sync'))
const SDK = readFileSync(join(SDK_FOLDER, 'twilio-sync.min.js'), 'utf8')
const CHROMIUM = [
  ...['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-sync'],
  ...['--disable-background-networking', '--disable-component-update'],
]

let browser: Browser
let pages: Server
let context: BrowserContext

/**
 * Starts one Chromium for a test file, and a context for each of its tests. A test in which no page was opened fails,
 * and so does one whose page has an error that nobody catches.
 */
export function useChromium(): void {
  beforeAll(async () => {
    browser = await chromium.launch({
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
  })

  const problems: string[] = []
  beforeEach(async () => {
    problems.length = 0
    const fresh = await browser.newContext()
    context = fresh
    fresh.on('weberror', (error) => problems.push(String(error.error())))
    onTestFinished(() => fresh.close())
  })
  afterEach(() => {
    expect(context.pages()).not.toEqual([])
    expect(problems).toEqual([])
  })
}

/** Opens a tab in the context of this test, with the SDK's browser bundle in it. */
export async function openTab(): Promise<Page> {
  const page = await context.newPage()
  await page.goto(`http://127.0.0.1:${(pages.address() as AddressInfo).port}/`)
  return page
}

/** Takes the network from the tabs of this test, or gives it back. */
export function setOffline(isOffline: boolean): Promise<void> {
  return context.setOffline(isOffline)
}
