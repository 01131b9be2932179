import { stripVTControlCharacters } from 'node:util'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { type Broker, startMosquitto, startNats } from '../../../test/support/brokers.ts'
import { freePort } from '../../../test/support/free-port.ts'
import { CliProcess, CliTerminal, runCli } from './support/cli-process.ts'
import { publisherOn } from './support/publisher.ts'
import { recordingOf } from './support/recording.ts'

const BROKERS = [
  { kind: 'NATS', start: () => startNats() },
  { kind: 'MQTT', start: () => startMosquitto() },
]
const MEMBERS = [
  ...['at', 'stream', 'messagesPerSecond', 'bytesPerSecond'],
  ...['publishers', 'messages', 'missed', 'reordered', 'dropped'],
]
const LEFT = '\x1b[?25h\x1b[?1049l'

describe.each(BROKERS)('rivulet tap over $kind', ({ start }) => {
  let broker: Broker
  beforeAll(async () => {
    broker = await start()
  })
  afterAll(() => broker.close())

  test('prints a line for each stream on a pipe, and sums up when it is interrupted', async () => {
    const hub = await publisherOn(broker.url, 'fleet')
    const running = new CliProcess(['tap', '--every', '50ms', '--hub', 'fleet', '--url', broker.url])
    await running.says('watching hub fleet\n')
    for (let n = 0; n < 3; n++) hub.stream('positions').publish({ n })
    hub.stream('alarms').publish({ n: 4 })
    await running.prints(/"alarms".*"messages":1,/)
    await running.prints(/"positions".*"messages":3,/)
    running.kill('SIGINT')
    const { exitCode, stderr } = await running.ended()
    expect(exitCode).toBe(0)
    expect(stderr).toBe(
      'watching hub fleet\nheard 4 messages on 2 streams, 0 missed, 0 reordered, 0 dropped\n',
    )
    expect(Object.keys(running.records[0] ?? {})).toEqual(MEMBERS)
    expect(running.records.at(-1)).toMatchObject({ publishers: 1, missed: 0, reordered: 0, dropped: 0 })
    const rates = running.records.map(({ messagesPerSecond }) => messagesPerSecond)
    expect(Math.max(...(rates as number[]))).toBeGreaterThan(0)
  })

  test('shows only the streams of a pattern', async () => {
    const hub = await publisherOn(broker.url, 'some')
    const args = ['tap', '--only', 'truck-?', '--every', '50ms', '--hub', 'some', '--url', broker.url]
    const running = new CliProcess(args)
    await running.says('watching')
    for (const name of ['truck-10', 'bus-1', 'truck-1', 'a.truck-1']) hub.stream(name).publish({ name })
    await running.prints('"truck-1"')
    running.kill('SIGTERM')
    const { exitCode, stderr } = await running.ended()
    expect({ exitCode, names: new Set(running.records.map(({ stream }) => stream)) }).toEqual({
      exitCode: 0,
      names: new Set(['truck-1']),
    })
    expect(stderr).toContain('heard 1 message on 1 stream, ')
  })
})

describe('rivulet tap on a terminal', () => {
  test("is a table that follows the window's size, and restores the terminal", async () => {
    const url = `replay:${recordingOf(500, { streams: 12 })}?loop=true`
    const terminal = new CliTerminal(['tap', '--every', '30ms', '--url', url])
    await terminal.shows(/s11 .*\d/)
    expect(terminal.screen).toContain('\x1b[?1049h\x1b[?25l')
    await terminal.resize({ columns: 50, rows: 8 })
    await terminal.shows(/… and 8 more streams/)
    const small = terminal.screen.slice(terminal.screen.indexOf('… and 8 more'))
    await terminal.resize({ columns: 120, rows: 40 })
    await terminal.shows(/… and 8 more[\s\S]*dropped/)
    terminal.type('\x03')
    const { exitCode, screen } = await terminal.ended()
    expect(exitCode).toBe(0)
    expect(linesOf(small).filter((line) => line.length > 50)).toEqual([])

    const [before, after = ''] = screen.split(LEFT)
    expect(before).not.toContain('\x1b[?25h')
    expect(after).not.toContain('\x1b')
    const [head = '', first] = linesOf(after.replace(/^\^C/, ''))
    expect(head.trim().split(/\s+/)).toEqual(
      'stream msg/s bytes/s publishers messages missed reordered dropped'.split(' '),
    )
    expect(first).toMatch(/^s\d+ /)
    expect(after).toMatch(/heard \d+ messages on 12 streams, 0 missed/)
  })

  test('sorts the busiest stream first, and prints lines with --ndjson', async () => {
    const url = `replay:${recordingOf(3, { streams: 2 })}?speed=max`
    const table = await new CliTerminal(['tap', '--for', '300ms', '--url', url]).ended()
    expect(table.exitCode).toBe(0)
    expect(table.screen).toMatch(/s0 .* 2 +0 +0 +0\r\ns1 .* 1 +0 +0 +0/)
    const lines = await new CliTerminal(['tap', '--ndjson', '--for', '300ms', '--url', url]).ended()
    expect(lines.screen).toContain('"stream":"s0"')
    expect(lines.screen).not.toContain('\x1b[?1049h')
  })

  test('shows no control character of a name', async () => {
    const broker = await startNats()
    onTestFinished(() => broker.close())
    const hub = await publisherOn(broker.url)
    const terminal = new CliTerminal(['tap', '--every', '30ms', '--url', broker.url])
    await terminal.shows(/watching/)
    hub.stream('evil\x1b[2J\n').publish({})
    await terminal.shows(/evil\\u001b\[2J\\u000a/)
    terminal.type('\x03')
    expect((await terminal.ended()).screen).not.toContain('evil\x1b')
  })
})

describe('rivulet tap', () => {
  test('reports in one sentence that the broker denies it, and exits with 2', async () => {
    const permissions = '{ subscribe: { deny: "rivulet.default.>" } }'
    const broker = await startNats({
      config: `authorization { users: [ { user: a, password: secret, permissions: ${permissions} } ] }`,
    })
    onTestFinished(() => broker.close())
    const url = broker.url.replace('://', '://a:secret@')
    const { exitCode, stdout, stderr } = await runCli(['tap', '--url', url])
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' })
    expect(stderr).toMatch(/^rivulet: Hub default can't be watched: Permissions Violation.*\n$/)
    expect(stderr).not.toContain('secret')
  })

  test('reports that the transport can not watch a hub, and exits with 2', async () => {
    // Over MQTT nats-server speaks 3.1.1 only.
    const broker = await startNats({ mqtt: true })
    onTestFinished(() => broker.close())
    const { exitCode, stderr } = await runCli(['tap', '--url', `mqtt://127.0.0.1:${broker.portOf('mqtt')}`])
    expect(exitCode).toBe(2)
    expect(stderr).toMatch(/^rivulet: Hub default can't be watched: .*mqtt.*\n$/)
  })

  test('reports that the broker is away, and that there is no broker', async () => {
    const away = await runCli(['tap', '--wait', '300ms', '--url', `nats://127.0.0.1:${await freePort()}`])
    expect(away.exitCode).toBe(3)
    expect(away.stderr).toContain('The transport was not up within 300 ms')
    const none = await runCli(['tap'])
    expect(none.exitCode).toBe(2)
    expect(none.stderr).toContain('There is no URL of a broker')
  })

  test('ends without output when its reader leaves, as head does', async () => {
    const url = `replay:${recordingOf(100)}?loop=true`
    const running = new CliProcess(['tap', '-q', '--every', '20ms', '--url', url])
    await running.prints('s0')
    running.leave()
    expect(await running.ended()).toMatchObject({ exitCode: 0, stderr: '' })
  })
})

/** Returns the drawn lines, without the sequences that move the cursor. */
function linesOf(screen: string): string[] {
  return stripVTControlCharacters(screen.replaceAll('\x1b[H', '\n'))
    .split(/[\r\n]+/)
    .filter(Boolean)
}
