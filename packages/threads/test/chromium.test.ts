import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { build } from 'esbuild'
import { type Browser, chromium, type Page } from 'playwright-core'
import type { Ledger } from 'rivulet'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { findExecutable } from '../../../test/support/find-executable.ts'
import { expectLaws } from '../../../test/support/ledger-laws.ts'
import { eventually } from '../../../test/support/live.ts'
import { ROOT } from '../../../test/support/source-files.ts'
import type { Acts } from './chromium-program.ts'

const ARGUMENTS = ['--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking']
const BUS = 'threads:tabs'

let browser: Browser
let server: Server

beforeAll(async () => {
  const program = await bundle()
  server = createServer(({ url }, response) => {
    const isProgram = url === '/program.js'
    response.setHeader('content-type', isProgram ? 'text/javascript' : 'text/html')
    response.end(
      isProgram ? program : '<!doctype html><meta charset="utf-8"><script src="/program.js"></script>',
    )
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  browser = await chromium.launch({
    executablePath: findExecutable('chromium'),
    headless: true,
    args: ARGUMENTS,
  })
})

afterAll(async () => {
  await browser?.close()
  server?.close()
})

/** Bundles the program with the core's entry for browsers, as a user's bundler does. */
async function bundle(): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [join(import.meta.dirname, 'chromium-program.ts')],
    bundle: true,
    write: false,
    format: 'iife',
    platform: 'browser',
    target: 'es2022',
    conditions: ['@rivulet/source'],
    alias: { rivulet: join(ROOT, 'src/index.ts'), 'rivulet/adapter': join(ROOT, 'src/adapter/index.ts') },
  })
  return outputFiles[0]?.text ?? ''
}

/** Opens tabs of one origin, separate from other tests. */
async function openTabs(count: number): Promise<Page[]> {
  const context = await browser.newContext()
  onTestFinished(() => context.close())
  const open = async () => {
    const page = await context.newPage()
    await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`)
    return page
  }
  return Promise.all(Array.from({ length: count }, open))
}

function act<Name extends keyof Acts>(page: Page, name: Name, ...args: Parameters<Acts[Name]>) {
  const run = ([name, args]: [string, unknown[]]) =>
    (globalThis as unknown as { acts: Record<string, (...args: unknown[]) => unknown> }).acts[name]?.(...args)
  return page.evaluate(run, [name, args] as [string, unknown[]]) as ReturnType<Acts[Name]>
}

const numbers = (last: number) => Array.from({ length: last }, (_, index) => index + 1)

test("two tabs and a worker receive each other's messages once and in order", async () => {
  const [one, two] = (await openTabs(2)) as [Page, Page]
  expect(await act(one, 'open', BUS, 'one')).toBe('up')
  expect(await act(two, 'open', BUS, 'two')).toBe('up')
  expect(await act(one, 'worker', 'open', BUS, 'worker')).toBe('up')
  await Promise.all([act(one, 'publish', 300), act(two, 'publish', 300), act(one, 'worker', 'publish', 300)])
  for (const by of ['two', 'worker']) {
    await eventually(() => act(one, 'heardOf', by)).toEqual(numbers(300))
  }
  for (const by of ['one', 'worker']) {
    await eventually(() => act(two, 'heardOf', by)).toEqual(numbers(300))
  }
  for (const by of ['one', 'two']) {
    await eventually(() => act(one, 'worker', 'heardOf', by)).toEqual(numbers(300))
  }
  const ledgers = [
    await act(one, 'worker', 'close'),
    await act(one, 'close'),
    await act(two, 'close'),
  ] as Ledger[]
  for (const ledger of ledgers) {
    expectLaws(ledger)
    expect(ledger).toMatchObject({ confirmed: 300, delivered: 600, missed: 0, reordered: 0 })
  }
})

test('a closed tab and a worker terminated in a flood harm no other tab', async () => {
  const [one, two, flooding] = (await openTabs(3)) as [Page, Page, Page]
  for (const [page, name] of [
    [one, 'one'],
    [two, 'two'],
    [flooding, 'flooding'],
  ] as const) {
    await act(page, 'open', BUS, name)
  }
  await act(one, 'worker', 'open', BUS, 'worker')
  await act(flooding, 'flood')
  await act(one, 'worker', 'flood')
  for (const by of ['flooding', 'worker']) {
    await eventually(() => act(two, 'heardOf', by).then(({ length }) => length)).toBeGreaterThan(0)
  }
  await flooding.close()
  await act(one, 'terminateWorker')
  await act(one, 'publish', 10)
  await eventually(() => act(two, 'heardOf', 'one')).toEqual(numbers(10))
  for (const by of ['flooding', 'worker']) {
    const heard = await act(two, 'heardOf', by)
    expect(new Set(heard).size).toBe(heard.length)
  }
  const ledgers = [await act(one, 'close'), await act(two, 'close')]
  for (const ledger of ledgers) {
    expectLaws(ledger)
    expect(ledger).toMatchObject({ dropped: { malformed: 0, duplicate: 0 }, lost: { offline: 0 } })
  }
})

test('a blocked tab takes no other down, and receives messages published meanwhile', async () => {
  const [one, blocked] = (await openTabs(2)) as [Page, Page]
  await act(one, 'open', BUS, 'one')
  await act(blocked, 'open', BUS, 'blocked')
  const blocking = act(blocked, 'block', 3_000)
  await act(one, 'publish', 100)
  await blocking
  await eventually(() => act(blocked, 'heardOf', 'one')).toEqual(numbers(100))
  expect([await act(one, 'status'), await act(blocked, 'status')]).toEqual(['up', 'up'])
})
