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
let current: Visit
// Made while the test before it runs: Chromium takes longer for a tab than most tests for all the rest.
let next: Promise<Visit>

/** What a test has of Chromium: a context of its own, with a first tab. */
interface Visit {
  readonly context: BrowserContext
  readonly tabs: Page[]
  readonly problems: string[]
}

/**
 * Starts one Chromium for a test file, and a context for each of its tests, whose tabs have a script. A test fails when
 * one of its tabs has an error that nobody catches.
 */
export function useChromium(script: string = SDK): void {
  beforeAll(async () => {
    browser = await chromium.launch({
      executablePath: findExecutable('chromium'),
      headless: true,
      args: CHROMIUM,
    })
    // From this machine: other pages may not open sockets to it, and one that a test makes up counts as another.
    pages = createServer((_request, response) => {
      response.setHeader('content-type', 'text/html')
      response.end(`<!doctype html><meta charset="utf-8"><script>${script}</script>`)
    })
    await once(pages.listen(0, '127.0.0.1'), 'listening')
    next = prepare()
  })
  afterAll(async () => {
    await next
    await browser?.close()
    pages?.close()
  })
  beforeEach(async () => {
    const visit = await next
    current = visit
    next = prepare()
    onTestFinished(() => visit.context.close())
  })
  afterEach(() => expect(current.problems).toEqual([]))
}

/** Opens a tab in the context of this test, with the script in it. */
export async function openTab(): Promise<Page> {
  return current.tabs.pop() ?? load(current.context)
}

/** Takes the network from the tabs of this test, or gives it back. */
export function setOffline(isOffline: boolean): Promise<void> {
  return current.context.setOffline(isOffline)
}

/** Where the tabs come from, as browsers tell it. */
export function originOfTabs(): string {
  return `http://127.0.0.1:${(pages.address() as AddressInfo).port}`
}

async function prepare(): Promise<Visit> {
  const context = await browser.newContext()
  const problems: string[] = []
  context.on('weberror', (error) => problems.push(String(error.error())))
  return { context, problems, tabs: [await load(context)] }
}

async function load(context: BrowserContext): Promise<Page> {
  const page = await context.newPage()
  await page.goto(`${originOfTabs()}/`)
  return page
}
