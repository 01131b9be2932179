import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Broker, startMosquitto, startNats } from '../../../test/support/brokers.ts'
import { freePort } from '../../../test/support/free-port.ts'
import { CliProcess, CliTerminal, runCli } from './support/cli-process.ts'
import { publisherOn } from './support/publisher.ts'
import { recordingOf, recordsIn, saidIn } from './support/recording.ts'
import { temporaryFolder } from './support/temporary-folder.ts'

const BROKERS = [
  { kind: 'NATS', start: () => startNats() },
  { kind: 'MQTT', start: () => startMosquitto() },
]

const target = () => join(temporaryFolder(), 'out.ndjson')

describe.each(BROKERS)('rivulet record over $kind', ({ start }) => {
  let broker: Broker
  beforeAll(async () => {
    broker = await start()
  })
  afterAll(() => broker.close())

  test('writes canonical lines of every stream until it is interrupted', async () => {
    const hub = await publisherOn(broker.url)
    const file = target()
    const running = new CliProcess(['record', file, '--json', '--url', broker.url])
    await running.says('recording hub default\n')
    const { sid } = hub.stream('a').publish({ truck: 7, at: { lon: 4.3, lat: 52.1 } })
    hub.stream('b/ü').publish({ n: 2 })
    hub.stream('a').publish({ n: 3 })
    await hub.flush()
    const heard = new CliProcess(['record', '-', '--count', '1', '--url', broker.url])
    await heard.says('recording')
    hub.stream('a').publish({ n: 4 })
    // Another subscriber has received the last message, and this one is on the same broker.
    await heard.ended()
    while (!existsSync(file) || !readFileSync(file, 'utf8').includes('"n":4')) await new Promise(setImmediate)
    running.kill('SIGINT')
    const { exitCode, stdout, stderr } = await running.ended()
    expect(exitCode).toBe(0)
    expect(stderr).toMatch(/recorded 4 messages of 2 streams \(\d+ B\) in .*out\.ndjson\n$/)
    expect(JSON.parse(stdout)).toMatchObject({ file, messages: 4, streams: 2, tooSlow: 0, missed: 0 })
    const [first] = readFileSync(file, 'utf8').split('\n')
    const { receivedAt } = recordsIn(file)[0] as { receivedAt: string }
    expect(first).toBe(
      `{"data":{"at":{"lat":52.1,"lon":4.3},"truck":7},"receivedAt":"${receivedAt}","sid":"${sid}","stream":"a"}`,
    )
    expect(saidIn(file).slice(1)).toEqual([
      ['b/ü', { n: 2 }],
      ['a', { n: 3 }],
      ['a', { n: 4 }],
    ])
  })

  test('writes to standard output, and ends after --count', async () => {
    const hub = await publisherOn(broker.url)
    const running = new CliProcess(['record', '-', '--only', 'x?', '-n', '2', '--url', broker.url])
    await running.says('recording')
    for (const [n, name] of ['x1', 'y1', 'x10', 'x2', 'x3'].entries()) hub.stream(name).publish({ n })
    const { exitCode } = await running.ended()
    expect(running.records).toMatchObject([
      { stream: 'x1', data: { n: 0 } },
      { stream: 'x2', data: { n: 3 } },
    ])
    expect(exitCode).toBe(0)
  })
})

describe('rivulet record', () => {
  test('leaves whole lines only when it is interrupted in a flood', async () => {
    const file = target()
    const url = `replay:${recordingOf(2000)}?speed=max&loop=true`
    const running = new CliProcess(['record', file, '--url', url])
    await running.says('recording')
    while (!existsSync(file) || readFileSync(file).length < 200_000) await new Promise(setImmediate)
    running.kill('SIGTERM')
    const { exitCode, stderr } = await running.ended()
    const [, messages] = /recorded (\d+) messages of 2 streams/.exec(stderr) ?? []
    expect({ exitCode, messages: recordsIn(file).length }).toEqual({
      exitCode: 0,
      messages: Number(messages),
    })
  })

  test('does not replace a file without --force', async () => {
    const file = target()
    writeFileSync(file, 'mine\n')
    const url = `replay:${recordingOf(5)}`
    const refused = await runCli(['record', file, '--url', url])
    expect({ exitCode: refused.exitCode, text: readFileSync(file, 'utf8') }).toEqual({
      exitCode: 2,
      text: 'mine\n',
    })
    expect(refused.stderr).toContain('is there already; give another name, or --force')
    const forced = await runCli(['record', file, '--force', '--count', '5', '--url', url])
    expect({ exitCode: forced.exitCode, count: recordsIn(file).length }).toEqual({ exitCode: 0, count: 5 })
  })

  test('fails when fewer messages came than --count, and keeps those that came', async () => {
    const file = target()
    const url = `replay:${recordingOf(4)}`
    const { exitCode } = await runCli(['record', file, '--count', '5', '--for', '500ms', '--url', url])
    expect({ exitCode, count: recordsIn(file).length }).toEqual({ exitCode: 1, count: 4 })
    const all = target()
    expect((await runCli(['record', all, '--for', '500ms', '--url', url])).exitCode).toBe(0)
  })

  test('names a file that it can not write, and leaves none when the broker is away', async () => {
    const url = `replay:${recordingOf(5)}`
    const nowhere = await runCli(['record', join(target(), 'x'), '--url', url])
    expect(nowhere.exitCode).toBe(2)
    expect(nowhere.stderr).toMatch(/^rivulet: .*can't be written: ENOENT.*\n$/)
    const folder = join(temporaryFolder(), 'folder')
    mkdirSync(folder)
    expect((await runCli(['record', folder, '--force', '--url', url])).stderr).toContain('EISDIR')
    const full = await runCli(['record', '/dev/full', '--force', '--url', url])
    expect(full.exitCode).toBe(1)
    expect(full.stderr).toContain("/dev/full can't be written any further: ENOSPC")

    const file = target()
    const away = await runCli([
      'record',
      file,
      '--wait',
      '300ms',
      '--url',
      `nats://127.0.0.1:${await freePort()}`,
    ])
    expect({ exitCode: away.exitCode, exists: existsSync(file) }).toEqual({ exitCode: 3, exists: false })
  })

  test('ends in good order when its reader leaves', async () => {
    const url = `replay:${recordingOf(2000)}?loop=true&speed=max`
    const running = new CliProcess(['record', '-', '--url', url])
    await running.prints('"n":5')
    running.leave()
    expect((await running.ended()).exitCode).toBe(0)
  })

  test('shows its progress on a terminal, and removes it at the end', async () => {
    const file = target()
    const terminal = new CliTerminal(['record', file, '--url', `replay:${recordingOf(2000)}?loop=true`])
    await terminal.shows(/([2-9]|\d\d) messages, [\d.]+ k?B/)
    terminal.type('\x03')
    const { exitCode, screen } = await terminal.ended()
    expect(exitCode).toBe(0)
    expect(screen).toMatch(/recorded \d+ messages of 2 streams \(.*\) in [^\r]*\r\n$/)
    expect(recordsIn(file).length).toBeGreaterThan(0)
  })
})
