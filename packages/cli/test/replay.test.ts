import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Broker, startMosquitto, startNats } from '../../../test/support/brokers.ts'
import { freePort } from '../../../test/support/free-port.ts'
import { CliProcess, CliTerminal, runCli } from './support/cli-process.ts'
import { publisherOn } from './support/publisher.ts'
import { fileOf, recordingOf, recordsIn, saidIn } from './support/recording.ts'
import { temporaryFolder } from './support/temporary-folder.ts'

const BROKERS = [
  { kind: 'NATS', start: () => startNats() },
  { kind: 'MQTT', start: () => startMosquitto() },
]

/** Starts to record `count` messages to a new file. */
async function recording(url: string, count: number) {
  const file = join(temporaryFolder(), 'again.ndjson')
  const running = new CliProcess(['record', file, '--count', String(count), '--url', url])
  await running.says('recording')
  return { file, ended: () => running.ended() }
}

/** The lines of a file without the members that differ between recordings. */
function linesWithout(file: string, ...members: readonly ('receivedAt' | 'sid')[]): string[] {
  const pattern = new RegExp(`"(?:${members.join('|')})":"[^"]*",`, 'g')
  return readFileSync(file, 'utf8')
    .split('\n')
    .map((line) => line.replaceAll(pattern, ''))
}

describe.each(BROKERS)('rivulet replay over $kind', ({ start }) => {
  let broker: Broker
  beforeAll(async () => {
    broker = await start()
  })
  afterAll(() => broker.close())

  test('plays the recorded messages in order; equal recordings are equal in each byte', async () => {
    const hub = await publisherOn(broker.url)
    const original = await recording(broker.url, 300)
    for (let n = 1; n <= 300; n++) {
      hub.stream(`s${n % 3}`).publish({ n, text: 'ü'.repeat(n % 7), at: { lon: n / 3, lat: 52.1 } })
      if (n % 50 === 0) await hub.flush()
    }
    expect(await original.ended()).toMatchObject({ exitCode: 0 })

    const again = await Promise.all([recording(broker.url, 300), recording(broker.url, 300)])
    const replayed = await runCli(['replay', original.file, '--url', broker.url])
    expect(replayed).toMatchObject({ exitCode: 0, stdout: '' })
    expect(replayed.stderr).toContain('published 300: 300 confirmed; 3 streams')
    for (const { ended } of again) expect(await ended()).toMatchObject({ exitCode: 0 })

    const [one, other] = again.map(({ file }) => file) as [string, string]
    expect(saidIn(one)).toEqual(saidIn(original.file))
    // Two recordings of one replay differ in the times of arrival; of two replays, in the sids as well.
    expect(linesWithout(one, 'receivedAt')).toEqual(linesWithout(other, 'receivedAt'))
    expect(linesWithout(one, 'receivedAt', 'sid')).toEqual(linesWithout(original.file, 'receivedAt', 'sid'))
    const sids = new Set(recordsIn(original.file).map(({ sid }) => sid))
    expect(recordsIn(one).filter(({ sid }) => sids.has(sid))).toEqual([])
  })

  test('at full speed loses nothing, and reports the needs of receivers', async () => {
    const file = recordingOf(20_000, { streams: 5 })
    const again = await recording(broker.url, 20_000)
    const replayed = await runCli(['replay', file, '--speed', 'max', '--url', broker.url])
    expect(replayed.stderr).toContain('at this speed receivers need limit: false')
    expect(replayed.exitCode).toBe(0)
    expect(await again.ended()).toMatchObject({ exitCode: 0 })
    expect(saidIn(again.file)).toEqual(saidIn(file))
  })
})

describe('rivulet replay', () => {
  let broker: Broker
  beforeAll(async () => {
    broker = await startNats()
  })
  afterAll(() => broker.close())

  test('renames streams, plays a part, and reads standard input', async () => {
    const again = await recording(broker.url, 3)
    const input = readFileSync(recordingOf(10, { stepMs: 1000 }), 'utf8')
    const args = ['replay', '-', '--rename', 's0=even', '--rename', 's1=odd', '--speed', '1000']
    const times = ['--from', '5s', '--to', '2026-01-31T12:00:08Z']
    const replayed = await runCli([...args, ...times, '--url', broker.url], { input })
    expect(replayed.exitCode).toBe(0)
    await again.ended()
    expect(saidIn(again.file)).toEqual([
      ['odd', { n: 6 }],
      ['even', { n: 7 }],
      ['odd', { n: 8 }],
    ])
  })

  test('begins again and again with new publishers until it is interrupted', async () => {
    const again = await recording(broker.url, 30)
    const args = ['replay', recordingOf(10), '--loop', '--speed', 'max', '--json', '--url', broker.url]
    const running = new CliProcess(args)
    await again.ended()
    running.kill('SIGINT')
    const { exitCode, stdout, stderr } = await running.ended()
    expect(exitCode).toBe(0)
    expect(stderr).toMatch(/\d+ passes/)
    const { messages, ledger } = JSON.parse(stdout)
    expect(ledger).toMatchObject({ accepted: messages, confirmed: messages })
    const records = recordsIn(again.file)
    expect(records.map(({ data }) => (data as { n: number }).n)).toEqual(
      Array.from({ length: 30 }, (_, index) => (index % 10) + 1),
    )
    const publishers = new Set(records.map(({ sid, stream }) => stream + sid.slice(2, 18)))
    expect(publishers.size).toBe(6)
  })

  test('reports a bad line with its number and exits with 2, or skips it', async () => {
    const [one = '', two = ''] = readFileSync(recordingOf(2), 'utf8').split('\n')
    const huge = one.replace('"n":1', `"n":"${'x'.repeat(70_000)}"`)
    const file = fileOf([one, '', '{"stream":"s', huge, two])
    const stopped = await runCli(['replay', file, '--url', broker.url])
    expect(stopped.exitCode).toBe(2)
    expect(stopped.stderr).toContain(`${file}, line 3: The line is not JSON.`)
    expect(stopped.stderr).toContain('published 1: 1 confirmed; 1 stream\n')
    const skipped = await runCli(['replay', file, '--skip-bad', '--url', broker.url])
    expect(skipped.exitCode).toBe(0)
    expect(skipped.stderr).toContain(`${file}, line 4: Payload is `)
    expect(skipped.stderr).toContain('2 streams, 2 bad lines left out')
  })

  test('checks a recording without a broker', async () => {
    const file = recordingOf(100, { stepMs: 100 })
    const checked = await runCli(['replay', file, '--dry-run', '--json'])
    expect(checked.exitCode).toBe(0)
    expect(JSON.parse(checked.stdout)).toEqual({ messages: 100, streams: 2, skipped: 0, playedMs: 9900 })
    expect(checked.stderr).toBe('100 messages of 2 streams in 9.9 s; nothing was published\n')
    const bad = await runCli(['replay', fileOf(['{}']), '--dry-run'])
    expect(bad).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining('line 1: The line has no stream.'),
    })
  })

  test('checks by the same way as it publishes', async () => {
    const [good = ''] = readFileSync(recordingOf(1), 'utf8').split('\n')
    const sid = 'TZ'.padEnd(34, '0')
    const bad = [
      good.replace('"n":1', `"n":"${'x'.repeat(66_000)}"`),
      good.replace('"n":1', '"__proto__":1'),
      good.replace('"stream":"s0"', `"stream":"${'s'.repeat(1000)}"`),
    ]
    const file = fileOf([good, ...bad, good])
    const flags = ['--skip-bad', '--json']
    const dry = await runCli(['replay', file, ...flags, '--dry-run'])
    const played = await runCli(['replay', file, ...flags, '--url', broker.url])
    const lines = (stderr: string) => stderr.match(/line \d: .*/g)
    expect(lines(dry.stderr)).toEqual(lines(played.stderr))
    expect(lines(dry.stderr)).toHaveLength(3)
    expect(JSON.parse(dry.stdout)).toMatchObject({ messages: 2, skipped: 3 })
    expect(JSON.parse(played.stdout)).toMatchObject({ messages: 2, skipped: 3 })
    const stopped = await runCli(['replay', file, '--dry-run'])
    expect(stopped).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining(`${file}, line 2: Payload is `),
    })
    const renamed = await runCli(['replay', fileOf([good]), '--dry-run', '--rename', `s0=${sid}`])
    const refused = await runCli(['replay', fileOf([good]), '--rename', `s0=${sid}`, '--url', broker.url])
    expect(renamed.exitCode).toBe(refused.exitCode)
    expect(renamed.exitCode).toBe(2)
  })

  test('reads past a byte order mark, and plays nothing from behind the end', async () => {
    const file = recordingOf(2)
    const marked = fileOf([`\uFEFF${readFileSync(file, 'utf8').trim()}`])
    const read = await runCli(['replay', marked, '--dry-run'])
    expect(read).toMatchObject({ exitCode: 0, stderr: expect.stringContaining('2 messages of 2 streams') })
    const behind = await runCli(['replay', file, '--dry-run', '--json', '--from', '1h'])
    expect(behind.stderr).toBe('0 messages of 0 streams in 0.0 s; nothing was published\n')
    expect(JSON.parse(behind.stdout)).toMatchObject({ messages: 0, playedMs: 0 })
  })

  test('reports faults of its command line, the file and the broker', async () => {
    const file = recordingOf(1)
    const wrong: [args: string[], message: string][] = [
      [['--speed', '0'], 'a number from 0.001 to 1000, or max'],
      [['--rename', 'a'], 'the old name and the new one: a=b'],
      [['--from', 'noon'], 'a duration such as'],
      [['--from', '2026-31-01'], 'a date such as'],
      [['--from', '2026-02-31T12:00:00Z'], 'a date such as'],
      [['--to', '2026-02-29'], 'a date such as'],
      [['--from', '9s', '--to', '8s'], '"to" is not before "from"'],
    ]
    for (const [args, message] of wrong) {
      const refused = await runCli(['replay', file, ...args, '--url', broker.url])
      expect({ exitCode: refused.exitCode, stdout: refused.stdout }).toEqual({ exitCode: 2, stdout: '' })
      expect(refused.stderr).toContain(message)
    }
    const gone = await runCli(['replay', `${file}.gone`, '--url', broker.url])
    expect(gone.exitCode).toBe(2)
    expect(gone.stderr).toMatch(/^rivulet: The recording .*gone can't be read: ENOENT.*\n$/)
    const away = `nats://127.0.0.1:${await freePort()}`
    expect((await runCli(['replay', file, '--wait', '300ms', '--url', away])).exitCode).toBe(3)
  })

  test('shows its progress on a terminal, and ends in good order at Ctrl-C', async () => {
    const terminal = new CliTerminal(['replay', recordingOf(100, { stepMs: 1000 }), '--url', broker.url])
    await terminal.shows(/ % \| [1-9]\d* messages?/)
    terminal.type('\x03')
    const { exitCode, screen } = await terminal.ended()
    expect(exitCode).toBe(0)
    expect(screen).toMatch(/published \d+: \d+ confirmed; \d streams?\r\n$/)
  })
})
