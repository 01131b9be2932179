import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type BrowserContext, chromium, type Page } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { findExecutable } from '../../../../test/support/find-executable.ts'
import { served } from '../support/served-gateway.ts'

const CHROMIUM = [
  ...['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-sync'],
  ...['--disable-background-networking', '--disable-component-update'],
]
const profile = mkdtempSync(join(tmpdir(), 'rivulet-chromium-'))
let browser: BrowserContext

beforeAll(async () => {
  browser = await chromium.launchPersistentContext(profile, {
    executablePath: findExecutable('chromium'),
    headless: true,
    args: CHROMIUM,
  })
})
afterAll(async () => {
  await browser?.close()
  rmSync(profile, { recursive: true, force: true })
})

async function open(url: string, problems: string[]): Promise<Page> {
  const page = await browser.newPage()
  page.on('pageerror', (error) => problems.push(String(error)))
  page.on('console', (message) => message.type() === 'error' && problems.push(message.text()))
  await page.goto(`${url}/playground`)
  await page.getByText('connected', { exact: true }).waitFor()
  return page
}

const countOf = async (page: Page, name: string) => Number(await page.locator(`#${name}`).textContent())
const positionOf = (page: Page, id: string) =>
  page
    .locator(`[data-id="${id}"]`)
    .evaluate((element: HTMLElement) => [element.style.left, element.style.top])

test('the playground shows in one window what moves in the other', async () => {
  const { url, hub } = await served({ open: true, playground: true })
  const problems: string[] = []
  const [here, there] = [await open(url, problems), await open(url, problems)]
  const id = (await here.locator('.mine').getAttribute('data-id')) as string
  const box = await here.locator('#board').boundingBox()
  if (box === null) throw new Error('there is no board')

  await here.mouse.move(box.x + box.width * 0.25, box.y + box.height * 0.75)
  await there.locator(`[data-id="${id}"][style*="left: 25"]`).waitFor()
  const [left = '', top = ''] = await positionOf(there, id)
  expect(Number.parseFloat(left)).toBeCloseTo(25, 0)
  expect(Number.parseFloat(top)).toBeCloseTo(75, 0)

  // By keyboard alone: the board is the first thing that takes the focus.
  await here.keyboard.press('Tab')
  await here.keyboard.press('ArrowRight')
  await there.locator(`[data-id="${id}"][style*="left: 27"]`).waitFor()

  await expect.poll(() => countOf(here, 'published')).toBeGreaterThanOrEqual(2)
  expect(await countOf(there, 'delivered')).toBeGreaterThanOrEqual(await countOf(here, 'published'))
  expect([await countOf(here, 'lost'), await countOf(there, 'lost')]).toEqual([0, 0])
  // A page counts a message when the answer has come.
  const published = async () => (await countOf(here, 'published')) + (await countOf(there, 'published'))
  await expect.poll(async () => (await published()) - hub.ledger().accepted).toBe(0)

  hub.stream('playground').remove()
  await there.getByText('connected', { exact: true }).waitFor()
  // The stream was there already: the second window is answered 409, which the browser reports.
  expect(problems.filter((problem) => !problem.includes('409'))).toEqual([])
})

test('the playground counts what is refused', async () => {
  const { url, hub } = await served({ open: true, playground: true })
  hub.stream('playground', { limit: { ratePerSecond: 1, burst: 1 } })
  const page = await open(url, [])
  await expect.poll(() => countOf(page, 'published')).toBe(1)
  await page.locator('#board').press('ArrowUp')
  await expect.poll(() => countOf(page, 'refused')).toBeGreaterThanOrEqual(1)
  await expect.poll(() => countOf(page, 'published'), { timeout: 10_000 }).toBe(2)
})

test('the playground is not there unless it is asked for', async () => {
  const { url } = await served({ open: true })
  for (const path of ['/playground', '/playground/client.js'])
    expect((await fetch(url + path)).status).toBe(404)
})
