import { describe, expect, test } from 'vitest'
import { type Broker, startMosquitto, startNats } from '../../../test/support/brokers.ts'
import { freePort } from '../../../test/support/free-port.ts'
import { ending, eventually } from '../../../test/support/live.ts'
import { startRedis } from '../../../test/support/redis-servers.ts'
import { CliProcess, CliTerminal, runCli } from './support/cli-process.ts'

const BROKERS = [
  { kind: 'NATS', start: () => startNats(), bare: '@nats-io/transport-node' },
  { kind: 'MQTT', start: () => startMosquitto(), bare: 'mqtt' },
  { kind: 'Redis', start: () => startRedis(), bare: '@redis/client' },
]
const SHORT = ['--for', '300ms', '--warmup', '50ms']

interface Printed {
  readonly bench: string
  readonly load: Record<string, unknown>
  readonly results: {
    readonly title: string
    readonly figures: Record<string, number>
    readonly reasons: Record<string, Record<string, number>>
  }[]
  readonly ratios?: Record<string, number>
}

/** Runs a bench with JSON, which must succeed, and resolves to its output. */
async function measured(args: readonly string[]): Promise<Printed & { readonly said: string }> {
  const { exitCode, stdout, stderr } = await runCli(['bench', ...args, ...SHORT, '--json'])
  expect({ exitCode, stderr }).toMatchObject({ exitCode: 0 })
  return { ...JSON.parse(stdout), said: stderr }
}

function figuresOf({ results }: Printed): Record<string, number> {
  return results[0]?.figures ?? {}
}

describe.each(BROKERS)('rivulet bench over $kind', ({ start, bare }) => {
  const started = () => ending(start())

  test('pub has every message confirmed, in processes of their own too', async () => {
    const { url } = await started()
    for (const processes of [[], ['--processes', '2']]) {
      const printed = await measured(['pub', '--clients', '3', ...processes, '--url', url])
      const { published, confirmed, lost, refused, publishedPerSecond } = figuresOf(printed)
      expect(published).toBeGreaterThan(0)
      expect({ confirmed, lost, refused }).toEqual({ confirmed: published, lost: 0, refused: 0 })
      expect(publishedPerSecond).toBeGreaterThan(0)
      expect(printed.said).toContain('limit: false')
    }
  })

  test('latency counts each message once, one way and there and back', async () => {
    const { url } = await started()
    const oneWay = await measured([
      'latency',
      '--rate',
      '200',
      '--clients',
      '2',
      '--streams',
      '2',
      '--url',
      url,
    ])
    expect(oneWay.said).toContain('one way')
    const both = await measured([
      'latency',
      '--rate',
      '200',
      '--processes',
      '2',
      '--clients',
      '2',
      '--round-trip',
      '--url',
      url,
    ])
    expect(both.said).toContain('there and back')
    for (const printed of [oneWay, both]) {
      const { expected, arrived, missed, p50Ms, p99Ms, maxMs } = figuresOf(printed)
      expect(arrived).toBe(expected)
      expect(missed).toBe(0)
      expect(p50Ms).toBeGreaterThan(0)
      expect(p99Ms).toBeGreaterThanOrEqual(p50Ms as number)
      expect(maxMs).toBeGreaterThanOrEqual(p99Ms as number)
    }
    const { published, expected } = figuresOf(both)
    expect(published).toBe(2 * (expected as number))
  })

  test('fanout has every subscriber get every message', async () => {
    const { url } = await started()
    const here = await measured(['fanout', '--clients', '3', '--streams', '2', '--rate', '200', '--url', url])
    const apart = await measured(['fanout', '--clients', '3', '--processes', '2', '--url', url])
    for (const printed of [here, apart]) {
      const { published, expected, arrived, received, delivered } = figuresOf(printed)
      expect(expected).toBe(3 * (published as number))
      expect({ arrived, received, delivered }).toEqual({
        arrived: expected,
        received: expected,
        delivered: expected,
      })
    }
    expect(figuresOf(here).p50Ms).toBeGreaterThan(0)
    // The clocks of two processes are not compared.
    expect(figuresOf(apart)).not.toHaveProperty('p50Ms')
  })

  test('sub counts the messages of bench pub in another process', async () => {
    const { url } = await started()
    const sub = new CliProcess(['bench', 'sub', '--clients', '2', '--for', '1h', '--url', url, '--json'])
    await sub.says('Listening')
    const published = figuresOf(await measured(['pub', '--rate', '200', '--url', url]))
    await sub.says('It comes')
    sub.kill('SIGINT')
    const { exitCode, stdout } = await sub.ended()
    expect(exitCode).toBe(0)
    const { arrived, missed, dropped } = figuresOf(JSON.parse(stdout))
    expect(arrived).toBeGreaterThan(0)
    expect(arrived).toBeLessThanOrEqual(2 * (published.published as number))
    expect({ missed, dropped }).toEqual({ missed: 0, dropped: 0 })
  })

  test('--compare bare runs the same load with the bare client, and prints ratios', async () => {
    const { url } = await started()
    for (const kind of ['pub', 'latency --rate 200', 'fanout']) {
      const { results, ratios = {} } = await measured([...kind.split(' '), '--compare', 'bare', '--url', url])
      expect(results.map(({ title }) => title)).toEqual(['Rivulet', `bare ${bare}`])
      const [rivulet, other] = results.map(({ figures }) => figures)
      expect(other?.published).toBeGreaterThan(0)
      expect(other?.arrived).toBe(other?.expected)
      // Unknown counts are left out.
      expect(other).not.toHaveProperty('confirmed')
      expect(ratios.publishedPerSecond).toBe(
        (rivulet?.publishedPerSecond ?? 0) / (other?.publishedPerSecond ?? 0),
      )
    }
  })
})

describe('rivulet bench', () => {
  test('prints a table with a progress bar in a terminal, also after Ctrl-C', async () => {
    const args = ['bench', 'latency', '--url', 'memory:bench', '--warmup', '0ms', '--for', '1h']
    const terminal = new CliTerminal(args)
    await terminal.shows(/Rivulet [█░]+/)
    terminal.type('\x03')
    const { exitCode, screen } = await terminal.ended()
    expect(screen).toMatch(/│ published +│ +[\d,]+ │/)
    expect(screen).toMatch(/│ missed +│ +0 │/)
    expect(exitCode).toBe(0)
  })

  test('prints a table without a bar to a pipe', async () => {
    const { exitCode, stdout, stderr } = await runCli(['bench', 'fanout', '--url', 'memory:bench', ...SHORT])
    expect(exitCode).toBe(0)
    expect(stdout).toMatch(/^┌[\s\S]*│ p50, ms +│[\s\S]*┘\n$/)
    expect(stderr).toBe(
      'Streams are opened with { limit: false, maxBytes: 65536 }.\n' +
        'Rivulet: measured for 0.3 s after 0.05 s of warm-up.\n',
    )
  })

  test('prints CSV: a line of names, and a line for each client', async () => {
    const { exitCode, stdout } = await runCli(['bench', 'pub', '--url', 'memory:bench', ...SHORT, '--csv'])
    expect(exitCode).toBe(0)
    const [names = [], row = [], ...others] = stdout.split('\n').map((line) => line.split(','))
    expect(others).toEqual([['']])
    expect(row).toHaveLength(names.length)
    const values = Object.fromEntries(names.map((name, index) => [name, row[index]]))
    expect(values).toMatchObject({
      bench: 'pub',
      contender: 'Rivulet',
      scheme: 'memory',
      sizeBytes: '128',
      p50Ms: '',
    })
    expect(values.published).toBe(values.confirmed)
  })

  test('publishes messages of the size that is asked for', async () => {
    const broker = await ending(startNats())
    const sub = new CliProcess(['sub', 'bench-1', '--count', '200', '--json', '--url', broker.url])
    await sub.says('subscribed')
    await measured(['pub', '--size', '300', '--rate', '20', '--url', broker.url])
    sub.kill('SIGINT')
    await sub.ended()
    const sizes = sub.records
      .map(({ data }) => JSON.stringify(data)?.length)
      .filter((size) => size !== undefined)
    expect(sizes.length).toBeGreaterThan(0)
    expect(new Set(sizes)).toEqual(new Set([300]))
  })

  test('reports losses, and ends with 1', async () => {
    const broker = await ending(startNats({ monitor: true }))
    const connections = async () =>
      (await broker.monitor<{ num_connections: number }>('connz')).num_connections
    const args = ['bench', 'fanout', '--rate', '500', '--for', '1h', '--url', broker.url, '--json']
    const running = new CliProcess(args)
    await running.says('measured for')
    await broker.kill()
    await broker.start()
    await eventually(connections).toBe(2)
    running.kill('SIGINT')
    const { exitCode, stdout, stderr } = await running.ended()
    expect(exitCode).toBe(1)
    expect(figuresOf(JSON.parse(stdout))).toMatchObject({ disconnected: 2 })
    expect(stderr).toContain('2 connections lost')
    expect(stderr).toContain('The figures are of a run with losses.')
  })

  test('ends with 1 when nothing was measured', async () => {
    const args = ['bench', 'latency', '--url', 'memory:bench', '--warmup', '0ms', '--for', '0ms']
    const { exitCode, stderr } = await runCli(args)
    expect(exitCode).toBe(1)
    expect(stderr).toContain('give it more time with --for')
  })

  test.each([
    [['bench', 'all', '--url', 'memory:x'], 'Allowed choices are pub, sub, latency, fanout'],
    [['bench', 'pub'], 'There is no URL of a broker'],
    [['bench', 'pub', '--url', 'memory:x', '--size', '10'], '64 to 65536 bytes'],
    [['bench', 'pub', '--url', 'memory:x', '--stream', 'a/b'], '--stream is 1 to 200 characters'],
    [['bench', 'pub', '--url', 'memory:x', '--round-trip'], '--round-trip is for latency'],
    [['bench', 'pub', '--url', 'memory:x', '--processes', '2'], 'memory: stays in one process'],
    [['bench', 'pub', '--url', 'memory:x', '--json', '--csv'], 'not both'],
    [
      ['bench', 'pub', '--url', 'memory:x', '--compare', 'bare'],
      'no bare client to compare with for memory:',
    ],
    [['bench', 'pub', '--url', 'memory:x', '--compare', 'x'], '--compare knows bare only'],
    [['bench', 'sub', '--url', 'nats://127.0.0.1:1', '--compare', 'bare'], 'take fanout'],
    [
      ['bench', 'pub', '--url', 'mqtt://127.0.0.1:1?tls=x', '--compare', 'bare'],
      'is not told tls of the URL',
    ],
    [
      ['bench', 'pub', '--url', 'nats://127.0.0.1:1', '--url', 'nats://127.0.0.1:2', '--compare', 'bare'],
      'takes one URL',
    ],
  ])('ends with 2 for %j', async (args, words) => {
    const { exitCode, stdout, stderr } = await runCli(args)
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' })
    expect(stderr).toContain(words)
  })

  test.each([[[]], [['--processes', '2']]])('ends with 3 when the broker is away, with %j', async (more) => {
    const url = `nats://ann:secret@127.0.0.1:${await freePort()}`
    const args = ['bench', 'fanout', '--clients', '2', ...more, '--url', url, '--wait', '300ms']
    const { exitCode, stdout, stderr } = await runCli(args)
    expect({ exitCode, stdout }).toEqual({ exitCode: 3, stdout: '' })
    expect(stderr).toContain('was not up within 300 ms')
    expect(stderr).not.toContain('secret')
  })
})

describe('rivulet bench for a user without permission', () => {
  const user = (permissions: string) =>
    `authorization { users: [ { user: ann, password: secret, permissions: { ${permissions} } } ] }`
  const urlOf = (broker: Broker, password: string) => broker.url.replace('//', `//ann:${password}@`)

  test.each([
    ['connect', '', 'wrong', ['pub'], /authoriz|authentic/i],
    [
      'publish',
      'publish: { deny: "rivulet.>" }',
      'secret',
      ['pub', '--rate', '100'],
      /Permissions Violation for Publish/,
    ],
    [
      'subscribe',
      'subscribe: { deny: "rivulet.>" }',
      'secret',
      ['sub'],
      /Permissions Violation for Subscription/,
    ],
  ])('%s ends with 2', async (_, permissions, password, args, words) => {
    const broker = await ending(startNats({ config: user(permissions) }))
    const { exitCode, stdout, stderr } = await runCli([
      'bench',
      ...args,
      ...SHORT,
      '--url',
      urlOf(broker, password),
    ])
    expect(exitCode).toBe(2)
    expect(stderr).toMatch(words)
    expect(`${stdout}${stderr}`).not.toMatch(/secret|wrong/)
  })

  test('--compare bare gives the token of the URL to the bare client, too', async () => {
    const broker = await ending(startNats({ config: 'authorization { token: "swordfish" }' }))
    const url = broker.url.replace('//', '//swordfish@')
    const { exitCode, stdout } = await runCli([
      'bench',
      'pub',
      ...SHORT,
      '--compare',
      'bare',
      '--json',
      '--url',
      url,
    ])
    expect(JSON.parse(stdout).results).toHaveLength(2)
    expect(exitCode).toBe(0)
  })
})
