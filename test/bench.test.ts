import { once } from 'node:events'
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { execa } from 'execa'
import { beforeAll, describe, expect, test } from 'vitest'
import { ROOT } from './support/source-files.ts'
import { waitFor } from './support/wait-for.ts'

const SUITES = ['fanout', 'publish', 'refuse', 'churn', 'memory', 'streams', 'iterate', 'transport']
const OUT = join(ROOT, '.cache', 'bench-test')
const FIVE_LINES = ['Rivulet', 'RxJS Subject', 'EventEmitter3', 'same contract, hand-made', 'bare array loop']
const FIRST_RUN_MS = 300_000

interface Column {
  readonly value: number
  readonly rounds: readonly number[]
  readonly rivuletIsBetterBy: number
}

interface Row {
  readonly name: string
  readonly group: string
  readonly columns: readonly Column[]
}

interface Result {
  readonly suite: string
  readonly columns: readonly { readonly title: string; readonly node: string; readonly rivulet: string }[]
  readonly cases: readonly { readonly name: string; readonly rows: readonly Row[] }[]
}

function bench(env: Record<string, string>, ...args: string[]) {
  return execa('node', ['bench/bench.mjs', ...args, '--out', OUT], { cwd: ROOT, env, reject: false })
}

function quick(...args: string[]) {
  return bench({}, ...args, '--quick', '--rounds', '1')
}

/** A connection to a port, once something listens there. It may be reset when the listener is killed. */
async function connected(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1').resume()
  await once(socket, 'connect')
  return socket.on('error', () => {})
}

beforeAll(async () => {
  rmSync(OUT, { recursive: true, force: true })
  // On a fresh clone this installs what the benches need; a stale build is built anew.
  const script = "(await import('./bench/prepare.mjs')).prepare(true)"
  await execa('node', ['--input-type=module', '-e', script], { cwd: ROOT })
}, FIRST_RUN_MS)

describe('the benches', () => {
  test.each(SUITES)('%s runs, finds its own results right, and compares with rivals', async (suite) => {
    const { stdout, stderr, exitCode } = await quick(suite, '--json')
    expect({ stderr: exitCode === 0 ? '' : stderr, exitCode }).toEqual({ stderr: '', exitCode: 0 })
    const [result] = JSON.parse(stdout) as Result[]
    expect(result?.suite).toBe(suite)
    expect(result?.columns[0]).toMatchObject({ node: process.version, rivulet: expect.any(String) })
    expect(result?.cases.length).toBeGreaterThan(0)
    for (const { rows } of result?.cases ?? []) {
      expect(rows.map(({ group }) => group)).toContain('rivulet')
      expect(new Set(rows.map(({ group }) => group)).size).toBeGreaterThan(1)
      for (const { name, columns } of rows) {
        expect(columns.length).toBe(result?.columns.length)
        for (const { value, rivuletIsBetterBy } of columns) {
          expect(value, name).toBeGreaterThan(0)
          expect(rivuletIsBetterBy, name).toBeGreaterThan(0)
        }
      }
    }
  })

  test('open a page with the targets and a list of contents, with no other file', () => {
    const page = readFileSync(join(OUT, 'report.html'), 'utf8')
    const places = ['Verdict: ', 'Contents', ...SUITES.map((suite) => `<section id="${suite}">`)]
    const found = places.map((place) => page.indexOf(place))
    expect(found).toEqual([...found].sort((one, other) => one - other))
    expect(found).not.toContain(-1)
    for (const suite of SUITES) expect(page).toContain(`<a href="#${suite}">`)
    expect(page).toContain('>tseep<')
    expect(page).not.toMatch(/<(script|link|img)\b|\bsrc=|url\((?!#)/)
  })

  test('draw five lines for the README, and the bars of one stream through each broker', () => {
    const pictures = readdirSync(OUT).filter((file) => file.endsWith('.svg'))
    const bars = ['mqtt', 'nats', 'redis'].map((backend) => `transport-${backend}-one-stream-flat-out.svg`)
    expect(pictures).toEqual(['fanout.svg', ...bars])
    const lines = readFileSync(join(OUT, 'fanout.svg'), 'utf8')
    for (const name of FIVE_LINES) expect(lines).toContain(`>${name}<`)
    expect(lines).not.toMatch(/>(tseep|mitt)</)
  })

  test('measure the fan-out on Node 24 as well', async () => {
    const { columns } = JSON.parse(readFileSync(join(OUT, 'fanout.json'), 'utf8')) as Result
    expect(columns.at(-1)?.title).toBe('Node 24')
    expect(columns.at(-1)?.node).toMatch(/^v24\./)
  })

  test('take an own message, and numbers of subscribers', async () => {
    const file = join(OUT, 'own.json.txt')
    writeFileSync(file, JSON.stringify({ greeting: 'grüß dich', tags: ['a', 'b'] }))
    const { stdout } = await quick('fanout', '--json', '--subscribers', '3', '--message', file)
    const [result] = JSON.parse(stdout) as Result[]
    expect(result?.cases.map(({ name }) => name)).toEqual(['3 subscribers, 43 bytes'])
  })

  test('take an own transport', async () => {
    const { stdout } = await quick('fanout', '--json', '--subscribers', '3', '--transport', 'memory:own')
    const [result] = JSON.parse(stdout) as Result[]
    expect(result?.cases[0]?.name).toBe('3 subscribers, 53 bytes, through memory')
  })

  test('measure two threads beside a bare channel', async () => {
    const { stdout } = await quick('transport', '--json', '--transport', 'threads:own')
    const [result] = JSON.parse(stdout) as Result[]
    expect(result?.cases.map(({ name }) => name)).toContain('threads: one stream flat out')
    for (const { rows } of result?.cases ?? []) {
      expect(rows.map(({ name }) => name)).toEqual(['Rivulet', 'bare BroadcastChannel + JSON'])
    }
  })

  test('measure two checkouts in turn, and end with the targets', async () => {
    const { stdout, exitCode } = await quick('fanout', '--subscribers', '1', '--against', ROOT)
    const line = (start: string) => stdout.split('\n').find((text) => text.startsWith(start))
    expect(line('1 subscriber, 53 bytes, ')).toMatch(/this checkout .* the other .* this is better by/)
    expect(line('Rivulet  ')).toMatch(/ ×\s*$/)
    expect(line('1 subscriber, 53 bytes, beside same')).toMatch(/4\.5 × .* (met|missed)/)
    expect(line('1,000 subscribers, 53 bytes, beside same')).toContain('not measured')
    expect(exitCode).toBe(0)
  })

  test('leave no broker behind when they are ended by Ctrl-C', async () => {
    const folder = join(OUT, 'brokers')
    mkdirSync(folder, { recursive: true })
    const run = bench({ TMPDIR: folder }, 'transport')
    await once(run.stderr, 'data')
    const [config] = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((file) =>
      file.endsWith('.conf'),
    )
    const port = Number(/listener (\d+)/.exec(readFileSync(join(folder, `${config}`), 'utf8'))?.[1])
    // A connection of its own tells that the broker has ended: another test's broker may get the port afterwards.
    const broker = await waitFor(() => connected(port))
    run.kill('SIGINT')
    expect((await run).exitCode).toBe(130)
    await waitFor(() => expect(readdirSync(folder)).toEqual([]), 5_000)
    await waitFor(() => expect(broker.closed).toBe(true), 20_000)
  })

  test('fail when a suite fails', async () => {
    const file = join(OUT, 'too-large.json.txt')
    writeFileSync(file, JSON.stringify({ text: 'x'.repeat(70_000) }))
    const { stderr, exitCode } = await quick('fanout', '--subscribers', '1', '--message', file)
    expect(stderr).toContain('PAYLOAD_TOO_LARGE')
    expect(stderr).toContain('The suite fanout failed.')
    expect(exitCode).toBe(1)
  })

  test('fail when a single subscriber misses a message', async () => {
    const script = `
      import { countingReaders } from './bench/readers.mjs'
      const readers = countingReaders(3)
      for (const listener of readers.listeners.slice(0, 2)) listener()
      readers.check('lossy', 1)`
    const node = execa('node', ['--input-type=module', '-e', script], { cwd: ROOT, reject: false })
    const { stderr, exitCode } = await node
    expect(stderr).toContain('lossy: subscriber 2 of 3 got 0 of 1 messages.')
    expect(exitCode).toBe(1)
  })

  test.each([
    ['fanout', '--subscribers', 'many', 'a whole number from 1 to 1000000'],
    ['fanout', '--payload', '10', 'a whole number from 53 to 65000'],
    ['fanout', '--transport', 'http://127.0.0.1', 'a URL that starts with nats:'],
    ['publish', '--message', 'package-lock.txt', 'no such file'],
    ['publish', '--against', 'src', 'the folder of a checkout'],
    ['churn', '--against', '.', 'goes with fanout and publish, not with churn'],
    ['speed', '--rounds', '1', 'Allowed choices are fanout'],
  ])('say what is wrong with %s %s %s', async (suite, option, value, advice) => {
    const { stdout, stderr, exitCode } = await bench({}, suite, option, value)
    expect(stderr).toContain(advice)
    expect({ stdout, exitCode }).toEqual({ stdout: '', exitCode: 1 })
  })

  test('list suites and options with --help', async () => {
    const { stdout, exitCode } = await bench({}, '--help')
    for (const word of [...SUITES, '--subscribers', '--payload', '--transport', '--message', '--against']) {
      expect(stdout).toContain(word)
    }
    expect(exitCode).toBe(0)
  })
})

test('a hundred thousand used and closed streams return the heap to its size before', async () => {
  const check = execa('node', ['--expose-gc', 'bench/heap-check.mjs'], { cwd: ROOT, reject: false })
  const { stdout, stderr, exitCode } = await check
  expect({ stderr, exitCode }, stdout).toEqual({ stderr: '', exitCode: 0 })
})
