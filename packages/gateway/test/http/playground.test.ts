import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type BrowserContext, chromium, type Page } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { findExecutable } from '../../../../test/support/find-executable.ts'
// @ts-expect-error It is a program of the build, in JavaScript.
import { buildPlayground } from '../../playground/build.mjs'
import { SIGNER } from '../support/access-token.ts'
import { ACCOUNT_KEY, served } from '../support/served-gateway.ts'
import { browserToken, readyPage, servedPages } from '../support/served-pages.ts'

const CHROMIUM = [
  ...['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-sync'],
  ...['--disable-background-networking', '--disable-component-update'],
]
const profile = mkdtempSync(join(tmpdir(), 'rivulet-chromium-'))
let browser: BrowserContext

beforeAll(async () => {
  await buildPlayground()
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
  // What the policy forbids is told here, too.
  page.on('console', (message) => message.type() === 'error' && problems.push(message.text()))
  await page.goto(`${url}/playground`)
  return page
}

async function openConnected(url: string, problems: string[]): Promise<Page> {
  const page = await open(url, problems)
  await page.getByText('connected', { exact: true }).waitFor()
  await page.locator('.mine').waitFor({ state: 'attached' })
  return page
}

const countOf = async (page: Page, name: string) =>
  Number((await page.locator(`#${name}`).textContent())?.replace(/\D/g, ''))
const idOf = async (page: Page) => (await page.locator('.mine').getAttribute('data-id')) as string
const placeOf = (page: Page, id: string) =>
  page
    .locator(`[data-id="${id}"]`)
    .evaluate(({ style }: HTMLElement) =>
      [style.left, style.top].map((part) => Math.round(Number.parseFloat(part))),
    )

test('the playground shows in one window what moves in the other', async () => {
  const { url, hub } = await servedPages({ open: true, playground: true })
  const problems: string[] = []
  const [here, there] = [await openConnected(url, problems), await openConnected(url, problems)]
  const id = await idOf(here)
  const before = await countOf(here, 'accepted')
  const box = await here.locator('#board').boundingBox()
  if (box === null) throw new Error('there is no board')

  await here.mouse.move(box.x + box.width * 0.25, box.y + box.height * 0.75)
  await expect.poll(() => placeOf(there, id)).toEqual([25, 75])
  expect(await placeOf(here, id)).toEqual([25, 75])
  await here.locator('#board').press('ArrowRight')
  await expect.poll(() => placeOf(there, id)).toEqual([27, 75])

  await here.locator('#name').fill('Ada <b>')
  await here.locator('#text').fill('Good morning')
  await here.locator('#text').press('Enter')
  await there.locator(`[data-id="${id}"] .bubble`, { hasText: 'Good morning' }).waitFor()
  await there.locator(`[data-id="${id}"] .name`, { hasText: 'Ada <b>' }).waitFor()
  await there.locator('#log li', { hasText: 'Good morning' }).waitFor()

  await expect.poll(() => countOf(here, 'confirmed')).toBeGreaterThanOrEqual(3)
  await expect
    .poll(() => countOf(there, 'delivered'))
    .toBeGreaterThanOrEqual((await countOf(here, 'accepted')) - before)
  for (const page of [here, there]) {
    expect([await countOf(page, 'lost'), await countOf(page, 'missed')]).toEqual([0, 0])
    expect(await page.locator('.law').allTextContents()).toEqual([
      expect.stringMatching(/^✓ attempts/),
      expect.stringMatching(/^✓ accepted/),
      expect.stringMatching(/^✓ received/),
    ])
  }

  await hub.stream('playground').subscribe(() => {}).ready
  hub.stream('playground').remove()
  await here.mouse.move(box.x + box.width * 0.5, box.y + box.height * 0.5)
  await expect.poll(() => placeOf(there, id), { timeout: 20_000 }).toEqual([50, 50])
  expect(problems).toEqual([])
})

test('the playground counts what is refused, and what its made-up loss takes', async () => {
  const { url } = await servedPages({ open: true, playground: true })
  const problems: string[] = []
  const [here, there] = [await openConnected(url, problems), await openConnected(url, problems)]
  await here.locator('#rate').fill('60')
  await here.locator('#wander').check()
  await expect.poll(() => countOf(here, 'refused'), { timeout: 20_000 }).toBeGreaterThan(0)
  await here
    .getByText(/rateLimited \d+/)
    .first()
    .waitFor()
  await there.locator('#loss').fill('50')
  await expect.poll(() => countOf(there, 'missed'), { timeout: 20_000 }).toBeGreaterThan(0)
  expect(await countOf(here, 'missed')).toBe(0)
  expect(problems).toEqual([])
})

test('the playground joins the hub of its service, with a token where there are keys', async () => {
  const options = { playground: true, keys: [ACCOUNT_KEY, SIGNER] }
  const { url } = await servedPages(options, { name: 'fleet' })
  const page = await open(url, [])
  await page.getByText('this gateway wants a token').waitFor()
  await page.locator('#token').fill(await browserToken())
  await page.locator('#access button').click()
  await page.getByText('connected', { exact: true }).waitFor()
  await page.locator('.mine').waitFor({ state: 'attached' })
  const other = await readyPage(url, { token: () => browserToken(), name: 'fleet' })
  const heard = new Promise((resolve) => other.stream('playground').subscribe(resolve))
  await page.locator('#wander').check()
  expect(await heard).toMatchObject({ data: { x: expect.any(Number) } })
})

test('the playground is not there unless it is asked for', async () => {
  const { url } = await served({ open: true })
  for (const path of ['/playground', '/playground/client.js'])
    expect((await fetch(url + path)).status).toBe(404)
})
