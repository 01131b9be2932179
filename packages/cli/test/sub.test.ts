import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { openHub } from 'rivulet'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { type Broker, startMosquitto, startNats } from '../../../test/support/brokers.ts'
import { startProxy } from '../../../test/support/fault-proxy.ts'
import { freePort } from '../../../test/support/free-port.ts'
import { CliProcess, CliTerminal, runCli } from './support/cli-process.ts'
import { temporaryFolder } from './support/temporary-folder.ts'

const BROKERS = [
  { kind: 'NATS', start: () => startNats() },
  { kind: 'MQTT', start: () => startMosquitto() },
]

/** Opens a hub that closes with the test, and returns a function that publishes on it. */
async function publisherOn(url: string, name = 'default') {
  const hub = await openHub({ transport: url, name, streamDefaults: { limit: false, maxBytes: 65_536 } })
  hub.on('error', () => {})
  onTestFinished(async () => void (await hub.close()))
  return hub
}

describe.each(BROKERS)('rivulet sub over $kind', ({ start }) => {
  let broker: Broker
  beforeAll(async () => {
    broker = await start()
  })
  afterAll(() => broker.close())

  test('prints a record for each message on a pipe, and ends after --count', async () => {
    const hub = await publisherOn(broker.url)
    const running = new CliProcess(['sub', 'a', 'b', '--count', '3', '--url', broker.url])
    await running.says('subscribed to a, b of hub default\n')
    const first = hub.stream('a').publish({ truck: 7, at: 'x' })
    await running.prints('truck')
    hub.stream('b').publish({ n: 1 })
    await running.prints('"n":1')
    hub.stream('a').publish({ n: 2 })
    const { exitCode, stdout, stderr } = await running.ended()
    const [line = ''] = stdout.split('\n')
    expect(line).toBe(
      `{"data":{"at":"x","truck":7},"receivedAt":"${running.records[0]?.receivedAt}","sid":"${first.sid}","stream":"a"}`,
    )
    expect(running.records).toMatchObject([
      { stream: 'a', data: { truck: 7 }, receivedAt: expect.stringMatching(/^\d{4}-.*\.\d{3}Z$/) },
      { stream: 'b', data: { n: 1 } },
      { stream: 'a', data: { n: 2 } },
    ])
    expect(stderr).toContain('received 3, 0 missed')
    expect(exitCode).toBe(0)
  })

  test('prints everything of a publisher without a limit', async () => {
    const hub = await publisherOn(broker.url)
    const running = new CliProcess(['sub', 'flood', '--count', '5000', '--raw', '--url', broker.url])
    await running.says('subscribed')
    const padding = 'x'.repeat(5000)
    for (let n = 0; n < 5000; n++) {
      hub.stream('flood').publish(n === 0 ? { n, padding } : { n })
      if (n % 100 === 0) await hub.flush()
    }
    const { exitCode, stdout } = await running.ended()
    const numbers = stdout
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line).n)
    expect(numbers).toEqual(Array.from({ length: 5000 }, (_, n) => n))
    expect(exitCode).toBe(0)
  })

  test('prints coloured lines on a terminal, and ends in good order at Ctrl-C', async () => {
    const hub = await publisherOn(broker.url)
    const terminal = new CliTerminal(['sub', 'positions', '--url', broker.url])
    await terminal.shows(/subscribed to positions/)
    hub.stream('positions').publish({ truck: 7, x: '\u001B[2J\u009B2J' })
    const [shown] = await terminal.shows(/[^\n]*truck[^\n]*\n/)
    expect(shown).toMatch(/^\S+m\d\d:\d\d:\d\d\.\d{3}\S+m \S+36mpositions\S+m \{"truck":7,/)
    expect(shown).toContain('"x":"\\u001b[2J\\u009b2J"}')
    terminal.type('\x03')
    const { exitCode, screen } = await terminal.ended()
    expect(screen).toContain('received 1, 0 missed')
    expect(exitCode).toBe(0)
  })

  test('ends without an error when its reader leaves, as head does', async () => {
    const hub = await publisherOn(broker.url)
    const running = new CliProcess(['sub', 'a', '--url', broker.url])
    await running.says('subscribed')
    hub.stream('a').publish({ n: 1 })
    await running.prints('"n":1')
    running.leave()
    const more = setInterval(() => hub.stream('a').publish({ n: 2 }), 20)
    const { exitCode, stderr } = await running.ended()
    clearInterval(more)
    expect(stderr).toMatch(/^subscribed to a of hub default\nreceived \d+, 0 missed\n$/)
    expect(exitCode).toBe(0)
  })

  test('reports the removal of a stream, and prints the messages after it', async () => {
    const hub = await publisherOn(broker.url)
    const running = new CliProcess(['sub', 'a', 'b', '--raw', '--url', broker.url])
    await running.says('subscribed to a, b of hub default\n')
    hub.stream('a').publish({ n: 1 })
    await running.prints('{"n":1}')
    hub.stream('a').remove()
    await running.says('The stream a was removed; subscribing again …\nsubscribed to a of hub default\n')
    hub.stream('a').publish({ n: 2 })
    hub.stream('b').publish({ n: 3 })
    await running.prints('{"n":2}')
    await running.prints('{"n":3}')
    hub.stream('a').remove()
    await running.says(/(was removed[\s\S]*subscribed to a of[\s\S]*){2}/)
    hub.stream('a').publish({ n: 4 })
    await running.prints('{"n":4}')
    running.kill('SIGINT')
    const { exitCode, stderr } = await running.ended()
    expect(stderr).toContain('received 4, 0 missed\n')
    expect(exitCode).toBe(0)
  })

  test('receives the messages of rivulet pub', async () => {
    const running = new CliProcess([
      'sub',
      'a',
      '--hub',
      'fleet',
      '--raw',
      '--count',
      '2',
      '--url',
      broker.url,
    ])
    await running.says('subscribed to a of hub fleet')
    const args = ['pub', 'a', '{"n":{{n}}}', '--count', '2', '--hub', 'fleet', '--url', broker.url]
    expect((await runCli(args)).exitCode).toBe(0)
    expect(await running.ended()).toMatchObject({ exitCode: 0, stdout: '{"n":1}\n{"n":2}\n' })
  })
})

describe('rivulet sub', () => {
  let broker: Broker
  beforeAll(async () => {
    broker = await startNats()
  })
  afterAll(() => broker.close())

  test('ends after --idle and after --for, with 1 when fewer came than --count', async () => {
    const ended = (...args: string[]) => runCli(['sub', 'quiet', '--url', broker.url, ...args])
    const [idle, limited, incomplete] = await Promise.all([
      ended('--idle', '50ms'),
      ended('--for', '50ms', '--json'),
      ended('--for', '50ms', '--count', '1'),
    ])
    expect([idle.exitCode, limited.exitCode, incomplete.exitCode]).toEqual([0, 0, 1])
    expect(idle.stderr).toContain('received 0, 0 missed')
  })

  test.each([
    [
      'a sentence',
      [],
      /The stream a was interrupted; messages since \S+Z may be missing\.\n/,
      /The stream a was interrupted; missing since \S+Z: 2 messages\.\n/,
    ],
    [
      'JSON with --json',
      ['--json'],
      /^\{"gap":\{"missed":0,"since":"\S+Z"\},"stream":"a"\}\n/m,
      /^\{"gap":\{"missed":2,"since":"\S+Z"\},"stream":"a"\}\n/m,
    ],
  ])(
    'reports possible and known losses of an interruption in %s, and ends with 1',
    async (_, args, may, has) => {
      const proxy = await startProxy(broker)
      onTestFinished(() => proxy.close())
      const hub = await publisherOn(broker.url)
      const running = new CliProcess(['sub', 'a', '--raw', '--url', proxy.url, ...args])
      await running.says('subscribed')
      hub.stream('a').publish({ n: 1 })
      await running.prints('{"n":1}')
      proxy.mode = 'refuse'
      proxy.drop()
      await running.says('The connection is lost')
      for (const n of [2, 3]) hub.stream('a').publish({ n })
      await hub.flush()
      proxy.mode = 'pass'
      await running.says(may)
      hub.stream('a').publish({ n: 4 })
      await running.says(has)
      running.kill('SIGINT')
      const { exitCode, stdout, stderr } = await running.ended()
      expect(stdout).toBe('{"n":1}\n{"n":4}\n')
      expect(stderr).toContain('received 2, 0 missed, 2 missed while away\n')
      expect(exitCode).toBe(1)
    },
  )

  test('begins --idle anew with each message', async () => {
    const hub = await publisherOn(broker.url)
    const running = new CliProcess(['sub', 'beats', '--idle', '4s', '--url', broker.url])
    await running.says('subscribed')
    const beats = setInterval(() => hub.stream('beats').publish({}), 50)
    const times = () => running.records.map(({ receivedAt }) => Date.parse(receivedAt as string))
    const spanMs = () => (times().at(-1) ?? 0) - (times()[0] ?? 0)
    // Messages are spread over more than the idle time.
    await expect.poll(spanMs, { timeout: 60_000 }).toBeGreaterThan(5000)
    clearInterval(beats)
    expect((await running.ended()).exitCode).toBe(0)
  })

  test('prints the text of --format', async () => {
    const hub = await publisherOn(broker.url)
    const format =
      '{{stream}}|{{data.truck}}|{{ data.at.lat }}|{{data.gone.x}}|{{data.text}}|{{data.at}}|{{data}}'
    const running = new CliProcess(['sub', 'a', '--count', '1', '--format', format, '--url', broker.url])
    await running.says('subscribed')
    hub.stream('a').publish({ truck: 7, at: { lat: 52.5 }, text: 'two\nlines' })
    const data = '{"at":{"lat":52.5},"text":"two\\nlines","truck":7}'
    expect((await running.ended()).stdout).toBe(`a|7|52.5||two\\u000alines|{"lat":52.5}|${data}\n`)
  })

  test.each([
    ['draft 7', undefined],
    ['draft 2019-09', 'https://json-schema.org/draft/2019-09/schema'],
    ['draft 2020-12', 'https://json-schema.org/draft/2020-12/schema'],
  ])('drops and counts messages that do not match a schema of %s, and ends with 2', async (_, $schema) => {
    const hub = await publisherOn(broker.url)
    const file = join(temporaryFolder(), 'schema.json')
    const properties = { truck: { type: 'integer' }, at: { type: 'string', format: 'date-time' } }
    writeFileSync(file, JSON.stringify({ $schema, type: 'object', required: ['truck'], properties }))
    const running = new CliProcess(['sub', 'a', '--schema', file, '--raw', '--url', broker.url])
    await running.says('subscribed')
    const good = { at: '2026-01-31T12:00:00Z', truck: 7 }
    for (const data of [good, { truck: 'seven' }, { truck: 8, at: 'today' }, {}, { truck: 9 }]) {
      hub.stream('a').publish(data)
    }
    await running.prints('{"truck":9}')
    running.kill('SIGINT')
    const { exitCode, stdout, stderr } = await running.ended()
    expect(stdout).toBe(`${JSON.stringify(good)}\n{"truck":9}\n`)
    expect(stderr).toContain('received 2, 0 missed, 3 dropped (schema)')
    expect(exitCode).toBe(2)
  })

  test('prints statistics each second with --stats', async () => {
    const hub = await publisherOn(broker.url)
    const running = new CliProcess(['sub', 'a', '--stats', '--url', broker.url])
    await running.says('received 0, 0 missed\n')
    await running.says('subscribed')
    hub.stream('a').publish({})
    await running.says('received 1, 0 missed\n')
    running.kill('SIGINT')
    expect((await running.ended()).exitCode).toBe(0)
  })

  test('continues when the broker is back', async () => {
    const own = await startNats()
    const running = new CliProcess(['sub', 'a', '--raw', '--url', own.url])
    await running.says('subscribed')
    await own.kill()
    await running.says('The connection is lost; trying again')
    await own.start()
    await running.says('Connected again.')
    const hub = await publisherOn(own.url)
    // Its join is made again after the connection.
    const more = setInterval(() => hub.stream('a').publish({ n: 1 }), 20)
    await running.prints('{"n":1}')
    clearInterval(more)
    running.kill('SIGTERM')
    expect((await running.ended()).exitCode).toBe(0)
    await own.close()
  })

  test('ends with 2 and the reason when the broker refuses the subscription', async () => {
    const denies = 'permissions: { subscribe: { deny: "rivulet.default.secret" } }'
    const config = `authorization { users: [ { user: "fleet", password: "right", ${denies} } ] }`
    const own = await startNats({ config })
    const url = own.url.replace('//', '//fleet:right@')
    const { exitCode, stderr } = await runCli(['sub', 'secret', '--url', url])
    expect(stderr).toMatch(/permissions violation/i)
    expect(stderr).not.toContain('subscribed')
    expect(exitCode).toBe(2)
    await own.close()
  })

  test('ends with 3 when the broker is away', async () => {
    const url = `nats://127.0.0.1:${await freePort()}`
    const { exitCode, stderr } = await runCli(['sub', 'a', '--url', url, '--wait', '500ms'])
    expect(stderr).toContain('connection refused')
    expect(exitCode).toBe(3)
  })

  test.each([
    [['sub', 'a'], /There is no URL of a broker; give --url/],
    [['sub'], /missing required argument 'stream'/],
    [['sub', 'a', '--raw', '--format', 'x'], /Give --raw or --format, not both/],
    [['sub', 'a', '--format', '{{when}}'], /There is no \{\{when\}\}; there are/],
    [['sub', 'a', '--schema', 'no-such-file.json'], /schema no-such-file.json can't be read/],
    [['sub', 'a', '--schema', 'package.json', '--for', 'ever'], /It is a duration/],
  ])('rejects %j with the reason, and ends with 2', async (args, sentence) => {
    const { exitCode, stdout, stderr } = await runCli(args)
    expect(stderr).toMatch(sentence)
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' })
  })

  test.each([
    ['is no JSON Schema', { type: 'objekt' }, /is not a JSON Schema: /],
    ['has an asynchronous schema', { $async: true, type: 'object' }, /has \$async, .* leave it out\.\n$/],
  ])('rejects a file that %s, with the reason', async (_, schema, sentence) => {
    const file = join(temporaryFolder(), 'schema.json')
    writeFileSync(file, JSON.stringify(schema))
    const line = ['sub', 'a', '--schema', file, '--for', '50ms', '--url', broker.url]
    const { exitCode, stderr } = await runCli(line)
    expect(stderr).toMatch(sentence)
    expect(exitCode).toBe(2)
  })
})
