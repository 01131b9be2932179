import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { openHub } from 'rivulet'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Broker, startMosquitto, startNats } from '../../../test/support/brokers.ts'
import { freePort } from '../../../test/support/free-port.ts'
import { CliProcess, CliTerminal, runCli } from './support/cli-process.ts'
import { heardOn } from './support/heard.ts'

const BROKERS = [
  { kind: 'NATS', start: () => startNats() },
  { kind: 'MQTT', start: () => startMosquitto() },
]

describe.each(BROKERS)('rivulet pub over $kind', ({ start }) => {
  let broker: Broker
  beforeAll(async () => {
    broker = await start()
  })
  afterAll(() => broker.close())

  test('publishes its argument, and ends with 0 when it is confirmed', async () => {
    const heard = await heardOn(broker.url, 'positions')
    const ending = await runCli(['pub', 'positions', '{"truck":7}', '--url', broker.url])
    expect(ending).toEqual({ exitCode: 0, stdout: '', stderr: 'published 1: 1 confirmed\n' })
    expect(await heard.take(1)).toEqual([{ truck: 7 }])
  })

  test('publishes lines as they come, each before the next one is there', async () => {
    const heard = await heardOn(broker.url, 'lines')
    const running = new CliProcess(['pub', 'lines', '--url', broker.url], { input: 'open' })
    for (const n of [1, 2, 3]) {
      running.type(`{"n":${n}}\n`)
      expect(await heard.take(n)).toHaveLength(n)
    }
    running.type('\n{"n":4}')
    running.endInput()
    expect((await running.ended()).exitCode).toBe(0)
    expect(await heard.take(4)).toEqual([1, 2, 3, 4].map((n) => ({ n })))
  })

  test('goes on after refusals, reports each line, and ends with 2', async () => {
    const heard = await heardOn(broker.url, 'some')
    const input = `{"n":1}\n[1]\n{"n":\n{"text":"${'x'.repeat(5000)}"}\n{"n":2}\n`
    const { exitCode, stderr } = await runCli(['pub', 'some', '--url', broker.url], { input })
    expect(exitCode).toBe(2)
    expect(stderr).toMatch(
      /line 2: The root must be an object; this is an array: .*\n.*line 3: The message is not JSON\.\n.*line 4: Payload is .* 4096/,
    )
    expect(stderr).toContain('published 2: 2 confirmed, 3 refused (1 invalidData, 1 tooLarge, 1 notJson)')
    expect(await heard.take(2)).toEqual([{ n: 1 }, { n: 2 }])
  })

  test('reports the outcomes of the messages before a line that is too long', async () => {
    const heard = await heardOn(broker.url, 'long')
    const input = `{"n":1}\n{"n":2}\n${'a'.repeat(2_000_000)}`
    const { exitCode, stdout, stderr } = await runCli(['pub', 'long', '--json', '--url', broker.url], {
      input,
    })
    expect(await heard.take(2)).toEqual([{ n: 1 }, { n: 2 }])
    expect(stderr).toBe('published 2: 2 confirmed\nrivulet: Line 3 is longer than 1 MiB; is it NDJSON?\n')
    expect(JSON.parse(stdout)).toMatchObject({ stream: 'long', ledger: { accepted: 2, confirmed: 2 } })
    expect(exitCode).toBe(2)
  })

  test('ends in good order at Ctrl-C, with the exit code of its work so far', async () => {
    const heard = await heardOn(broker.url, 'beats')
    const args = ['pub', 'beats', '{"n":{{n}}}', '--every', '10ms', '--url', broker.url]
    const terminal = new CliTerminal(args)
    await heard.take(3)
    terminal.type('\x03')
    const { exitCode, screen } = await terminal.ended()
    expect(screen).toMatch(/published (\d+): \1 confirmed/)
    expect(exitCode).toBe(0)
    expect((await heard.take(3)).slice(0, 3)).toEqual([{ n: 1 }, { n: 2 }, { n: 3 }])
  })

  test('ends in good order at SIGTERM while it waits for a line', async () => {
    const heard = await heardOn(broker.url, 'waiting')
    const running = new CliProcess(['pub', 'waiting', '--json', '--url', broker.url], { input: 'open' })
    running.type('{"n":1}\n')
    await heard.take(1)
    running.kill('SIGTERM')
    expect((await running.ended()).exitCode).toBe(0)
    expect(running.records).toMatchObject([{ stream: 'waiting', ledger: { accepted: 1, confirmed: 1 } }])
  })
})

describe('rivulet pub', () => {
  test('reports the losses when the broker goes away, and ends with 1', async () => {
    const broker = await startNats()
    const heard = await heardOn(broker.url, 'positions')
    const running = new CliProcess(['pub', 'positions', '--url', broker.url], { input: 'open' })
    running.type('{"n":1}\n')
    await heard.take(1)
    await heard.close()
    await broker.close()
    await running.says('The connection is lost; trying again')
    running.type('{"n":2}\n')
    running.endInput()
    const { exitCode, stderr } = await running.ended()
    // The first one is confirmed, unless the broker ended before it had answered.
    expect(stderr).toMatch(/published 2: .*\b1 lost \(offline\)/)
    expect(exitCode).toBe(1)
  })

  test('ends at once at a second Ctrl-C while its broker does not answer', async () => {
    const broker = await startNats()
    const terminal = new CliTerminal(['pub', 'positions', '{}', '--every', '10ms', '--url', broker.url])
    const heard = await heardOn(broker.url, 'positions')
    await heard.take(1)
    await broker.stop()
    terminal.type('\x03')
    await terminal.shows(/a second Ctrl-C ends it at once/)
    terminal.type('\x03')
    expect((await terminal.ended()).exitCode).toBe(130)
    broker.cont()
    await broker.close()
  })

  test('publishes lines typed on a terminal', async () => {
    const terminal = new CliTerminal(['pub', 'a', '--url', 'memory:a'])
    await terminal.shows(/Type a JSON object in each line; Ctrl-D ends/)
    terminal.type('{"n":1}\n{"n":2}\n\x04')
    const { exitCode, screen } = await terminal.ended()
    expect(screen).toContain('published 2: 2 confirmed')
    expect(exitCode).toBe(0)
  })

  test('ends with 3 and one line when the broker is away', async () => {
    const url = `nats://127.0.0.1:${await freePort()}`
    const { exitCode, stdout, stderr } = await runCli(['pub', 'a', '{}', '--url', url, '--wait', '1s'])
    expect({ exitCode, stdout }).toEqual({ exitCode: 3, stdout: '' })
    expect(stderr).toMatch(/^rivulet: The transport was not up within 1000 ms; .*connection refused.*\n$/)
  })

  test('ends with 0 when it is interrupted before the broker is there', async () => {
    // It accepts connections and sends nothing.
    const silent = createServer().listen(0, '127.0.0.1')
    await once(silent, 'listening')
    const { port } = silent.address() as AddressInfo
    const url = `nats://127.0.0.1:${port}`
    const terminal = new CliTerminal(['pub', 'a', '{}', '--url', url, '--wait', '1h'])
    await once(silent, 'connection')
    terminal.type('\x03')
    const { exitCode, screen } = await terminal.ended()
    expect(screen).toContain('It was ended by SIGINT.')
    expect(exitCode).toBe(0)
    silent.close()
  })

  test('ends with 2 when the broker refuses its credentials, and shows no password', async () => {
    const broker = await startNats({ users: { fleet: 'right' } })
    const url = broker.url.replace('//', '//fleet:swordfish@')
    const { exitCode, stderr } = await runCli(['pub', 'a', '{}', '--url', url])
    expect(exitCode).toBe(2)
    expect(stderr).toMatch(/authorization violation/i)
    expect(stderr).not.toContain('swordfish')
    await broker.close()
  })

  test('ends with 1 and the reason when the broker refuses its messages', async () => {
    const denies = 'permissions: { publish: { deny: "rivulet.default.secret" } }'
    const config = `authorization { users: [ { user: "fleet", password: "right", ${denies} } ] }`
    const broker = await startNats({ config })
    const url = broker.url.replace('//', '//fleet:right@')
    const { exitCode, stderr } = await runCli(['pub', 'secret', '{}', '--url', url])
    expect(stderr).toMatch(/permissions violation/i)
    expect(stderr).toContain('published 1: 1 unconfirmed')
    expect(exitCode).toBe(1)
    await broker.close()
  })

  test('fills in placeholders', async () => {
    const broker = await startNats()
    const heard = await heardOn(broker.url, 'made')
    const text = '{"n":{{n}},"at":{{ now }},"id":"{{uuid}}","whole":{{random 5 7}},"part":{{random 0.0 1}}}'
    await runCli(['pub', 'made', text, '--count', '20', '--url', broker.url])
    const made = (await heard.take(20)) as {
      n: number
      at: number
      id: string
      whole: number
      part: number
    }[]
    expect(made.map(({ n }) => n)).toEqual(Array.from({ length: 20 }, (_, index) => index + 1))
    expect(made.every(({ at }) => Number.isInteger(at) && Math.abs(at - Date.now()) < 600_000)).toBe(true)
    expect(new Set(made.map(({ id }) => id)).size).toBe(20)
    expect(made.every(({ whole }) => [5, 6, 7].includes(whole))).toBe(true)
    expect(made.every(({ part }) => part >= 0 && part <= 1)).toBe(true)
    await broker.close()
  })

  test.each([
    [['pub', 'a', '{{nn}}'], /There is no \{\{nn\}\}; there are \{\{n\}\}/],
    [['pub', 'a', '{"r":{{random 3}}}'], /has two numbers, the smaller one first/],
    [['pub', 'a', '{"r":{{random 3 1}}}'], /has two numbers, the smaller one first/],
    [['pub', 'a', '{}', '--count', '0'], /--count .* It is a whole number from 1/],
    [['pub', 'a', '{}', '--every', '10'], /--every .* It is a duration such as 500ms/],
    [['pub', 'a', '{}', '--rate', 'fast'], /--rate .* It is a number a second/],
    [['pub'], /missing required argument 'stream'/],
    [['pub', '', '{}'], /name/],
    [['pub', 'a', '{}', '--url', 'localhost:4222'], /has no scheme; did you mean nats/],
    [['pub', 'a', '{}', 'b'], /too many arguments/],
  ])('rejects %j with the reason, and ends with 2', async (args, sentence) => {
    const { exitCode, stdout, stderr } = await runCli(args)
    expect(stderr).toMatch(sentence)
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' })
  })

  test('publishes in this process only without a URL, and reports that', async () => {
    const { exitCode, stderr } = await runCli(['pub', 'a', '{"n":{{n}}}', '--count', '3'])
    expect(stderr).toContain('There is no URL of a broker')
    expect(stderr).toContain('published 3: 3 local')
    expect(exitCode).toBe(0)
  })

  test('reads past a byte order mark, and refuses a folder', async () => {
    const args = ['pub', 'a', '--url', 'memory:a']
    const marked = await runCli(args, { input: '\uFEFF{"n":1}\n{"n":2}' })
    expect(marked).toMatchObject({ exitCode: 0, stderr: 'published 2: 2 confirmed\n' })
    const single = await runCli(args, { input: '\uFEFF{"n":1}' })
    expect(single).toMatchObject({ exitCode: 0, stderr: 'published 1: 1 confirmed\n' })
    const said = 'rivulet: Standard input is a folder; give a file, or lines by a pipe.\n'
    const folder = import.meta.dirname
    expect(await runCli(args, { stdin: folder })).toMatchObject({ exitCode: 2, stderr: said })
    const replayed = await runCli(['replay', '-', '--dry-run'], { stdin: folder })
    expect(replayed).toMatchObject({ exitCode: 2, stderr: said })
  })

  test('changes the limit with --rate, reports that, and publishes no faster', async () => {
    const args = ['pub', 'a', '{"n":{{n}}}', '--url', 'memory:a']
    const raised = await runCli([...args, '--count', '500', '--rate', '1000'])
    expect(raised.stderr).toMatch(/limit is \{ ratePerSecond: 1000, burst: 100 \}.*give them the same/)
    expect(raised.stderr).toContain('published 500: 500 confirmed')
    expect(raised.exitCode).toBe(0)
    const lowered = new CliProcess([...args, '--count', '9', '--rate', '1/h'])
    await lowered.says('limit is')
    lowered.kill('SIGINT')
    const { exitCode, stderr } = await lowered.ended()
    expect(stderr).toMatch(/published 1: 1 confirmed/)
    expect(exitCode).toBe(0)
  })

  test('keeps only the newest message of a key at the limit with --latest', async () => {
    const rows = Array.from({ length: 200 }, (_, n) => JSON.stringify({ truck: n % 4, n }))
    const args = ['pub', 'a', '--latest', 'truck', '--rate', '5', '--json', '--url', 'memory:a']
    const running = new CliProcess(args, { input: rows.join('\n') })
    expect((await running.ended()).exitCode).toBe(0)
    const [{ ledger }] = running.records as [{ ledger: Record<string, number> }]
    expect(ledger).toMatchObject({ attempts: 200, waiting: 0 })
    expect(ledger.conflated).toBeGreaterThan(100)
    expect(ledger.confirmed).toBe(200 - (ledger.conflated as number))
  })

  test('reads no more than it can publish', async () => {
    const running = new CliProcess(['pub', 'a', '--rate', '1/h', '--url', 'memory:a'], { input: 'open' })
    const line = `{"text":"${'x'.repeat(4000)}"}\n`
    let taken = 0
    const writing = (async () => {
      for (; taken < 5000; taken++) await running.type(line)
    })()
    await running.says('limit is')
    // The pipe and the process buffer some, and the rest stays with the writer.
    expect(await settled(() => taken)).toBeLessThan(500)
    running.kill('SIGINT')
    expect((await running.ended()).exitCode).toBe(0)
    // Writing to an ended process fails, which is a valid outcome too.
    await writing
  })

  test('takes the URL and the hub from the environment unless an option gives them', async () => {
    const broker = await startNats()
    const hub = await openHub({ transport: broker.url, name: 'fleet' })
    const heard: unknown[] = []
    await hub.stream('a').subscribe(({ data }) => heard.push(data)).ready
    const env = { RIVULET_URL: broker.url, RIVULET_HUB: 'other' }
    await runCli(['pub', 'a', '{"n":1}'], { env })
    await runCli(['--hub', 'fleet', 'pub', 'a', '{"n":2}'], { env })
    await expect.poll(() => heard).toEqual([{ n: 2 }])
    await hub.close()
    await broker.close()
  })
})

/** Resolves to a number once it has begun to change, and was then the same in ten reads. */
async function settled(read: () => number): Promise<number> {
  await expect.poll(read).toBeGreaterThan(0)
  for (let last = read(), same = 0; ; last = read()) {
    await new Promise((resolve) => setTimeout(resolve, 20))
    same = read() === last ? same + 1 : 0
    // Early on a busy machine, which makes the test weaker and never wrong.
    if (same === 10) return last
  }
}
