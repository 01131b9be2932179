import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execa } from 'execa'
import { describe, expect, onTestFinished, test } from 'vitest'
import { startMosquitto, startNats } from './support/brokers.ts'
import { readDocument } from './support/documentation.ts'
import { ending, openLive } from './support/live.ts'
import { type Program, startCommand, startProgram } from './support/program.ts'
import { startRedis } from './support/redis-servers.ts'
import { ROOT } from './support/source-files.ts'

const TIMEOUT_MS = 60_000
const BROKERS = [
  ['nats', startNats],
  ['mosquitto', startMosquitto],
  ['redis', startRedis],
] as const

test('every example has a README, and stands in the list of all', () => {
  const entries = readdirSync(join(ROOT, 'examples'), { withFileTypes: true })
  const folders = entries.filter((entry) => entry.isDirectory()).map(({ name }) => name)
  expect(folders.filter((folder) => !existsSync(join(ROOT, 'examples', folder, 'README.md')))).toEqual([])
  const listed = [...readDocument('examples/README.md').matchAll(/\]\(([^/]+)\/README\.md\)/g)]
  expect(listed.map(([, folder]) => folder).sort()).toEqual(folders.sort())
})

describe('two services', () => {
  test.each(BROKERS)(
    'talk through %s, and meet again after it was away',
    { timeout: TIMEOUT_MS },
    async (_, start) => {
      const broker = await ending(start())
      const env = { RIVULET_URL: broker.url }
      const display = example('two-services/display.ts', env)
      await display.line('listening')
      const thermometer = example('two-services/thermometer.ts', env)
      await display.line('kitchen: 24 °C')
      await display.line('alarm raised: 24 °C')
      await broker.kill()
      await display.line('the connection is down')
      await broker.start()
      await display.line('the connection is up')
      const before = display.lines.length
      await expect
        .poll(() => display.lines.slice(before), { timeout: TIMEOUT_MS })
        .toContain('kitchen: 22 °C')
      thermometer.kill('SIGINT')
      expect(await thermometer.line('published')).toMatch(/^published \d+, confirmed \d+, lost .* [1-9]\d*$/)
      display.kill('SIGINT')
      expect(await display.line('received')).toMatch(/^received \d+, missed \d+$/)
      for (const program of [thermometer, display])
        expect(await program.ended).toMatchObject({ code: 0, signal: null })
    },
  )
})

describe('a service', () => {
  test.each(BROKERS)(
    'starts before %s does, and stops in good order with or without it',
    { timeout: TIMEOUT_MS },
    async (_, start) => {
      const broker = await ending(start())
      await broker.kill()
      const services = [1, 2].map(() =>
        example('starting-and-stopping/service.ts', { RIVULET_URL: broker.url }),
      ) as [Program, Program]
      const [stoppedEarly, service] = services
      for (const program of services) await program.line('the hub is down')

      stoppedEarly.kill('SIGINT')
      const alone = await summaryOf(stoppedEarly)
      expect(alone).toMatchObject({ confirmed: 0, unconfirmed: 0, lost: alone.published })

      await broker.start()
      await service.line('the hub is up')
      const elsewhere = await openLive(broker.url)
      await elsewhere.stream('readings').iterate().next()
      service.kill('SIGTERM')
      const { published, confirmed, unconfirmed, lost, saved, dropped } = await summaryOf(service)
      expect(confirmed + unconfirmed + lost).toBe(published)
      expect(saved + dropped).toBe(published)
      expect(Math.min(confirmed + unconfirmed, lost)).toBeGreaterThan(0)
      for (const { ended } of services) expect(await ended).toEqual({ code: 0, signal: null, stderr: '' })
    },
  )

  async function summaryOf(service: Program) {
    const lines = `${await service.line('published')} ${await service.line('saved')}`
    const [published = 0, confirmed = 0, unconfirmed = 0, lost = 0, saved = 0, dropped = 0] = (
      lines.match(/\d+/g) ?? []
    ).map(Number)
    return { published, confirmed, unconfirmed, lost, saved, dropped }
  }
})

test.each([
  ['mosquitto', startMosquitto],
  ['redis', startRedis],
] as const)(
  'foreign clients exchange frames with a stream over %s',
  { timeout: TIMEOUT_MS },
  async (kind, start) => {
    const broker = await ending(start())
    const service = example('foreign-clients/commands.ts', { RIVULET_URL: broker.url })
    await service.line('listening')
    const watch = script('foreign-clients/watch.sh', broker.port, kind)
    // What is published within one tick shares a frame; redis-cli prints other lines, too.
    const frames = () => watch.lines.filter((line) => /^[[{]/.test(line)).flatMap((line) => JSON.parse(line))
    // That script subscribes when it does: measure until it has seen something, and then once more.
    while (frames().length === 0) await script('foreign-clients/measure.sh', broker.port, kind).ended
    await script('foreign-clients/measure.sh', broker.port, kind).ended
    const message = (fan: string, because: string) => ({
      data: { fan, because },
      sid: expect.stringMatching(/^TZ[0-9a-f]{32}$/),
      t: expect.any(Number),
    })
    await expect
      .poll(() => frames().slice(-2), { timeout: TIMEOUT_MS })
      .toEqual([message('off', 'attic'), message('on', 'cellar')])
    expect(service.lines).toContain('TZ… attic: 21 °C')
    service.kill('SIGINT')
    const [received = 0, delivered = 0, malformed = 0] = (
      (await service.line('received')).match(/\d+/g) ?? []
    ).map(Number)
    expect(received).toBe(delivered + malformed)
    // Of the first round at least; the last one may still be on its way.
    expect(malformed).toBeGreaterThan(0)
    expect(await service.ended).toEqual({ code: 0, signal: null, stderr: '' })
  },
)

test('four threads share the work of a week of earthquakes', { timeout: TIMEOUT_MS }, async () => {
  const program = example('threads/main.ts', {})
  expect(await program.line('1707 earthquakes')).toMatch(/each thread: ([1-9]\d* ?){4}$/)
  expect(await program.line('the strongest')).toMatch(/magnitude \d\.\d+, then \d\.?\d*, \d+ km away$/)
  expect(await program.line('confirmed')).toBe('confirmed 1707, missed 0, lost 0')
  expect(await program.ended).toEqual({ code: 0, signal: null, stderr: '' })
})

describe('TLS with a certificate of its own', () => {
  test.each(BROKERS)(
    'is trusted on %s by who trusts the authority',
    { timeout: TIMEOUT_MS },
    async (name, start) => {
      const folder = mkdtempSync(join(tmpdir(), 'rivulet-example-'))
      onTestFinished(() => rmSync(folder, { recursive: true }))
      await execa('sh', [join(ROOT, 'examples/tls/make-certificates.sh'), folder])
      const file = (name: string) => join(folder, name)
      const tls = { certFile: file('server.pem'), keyFile: file('server.key'), cert: '', key: '' }
      const broker = await ending(start({ tls }))
      const kind = name === 'mosquitto' ? 'mqtt' : name
      const secure = (...more: string[]) =>
        startProgram('examples/tls/secure.ts', [kind, `localhost:${broker.port}`, ...more])
      const [trusting, doubting] = [secure(file('ca.pem')), secure()]
      expect(await trusting.line('')).toBe('trusted: the hub is up')
      expect(await trusting.ended).toEqual({ code: 0, signal: null, stderr: '' })
      expect(await doubting.line('')).toMatch(/^TRANSPORT_FAILED: .*(unable to verify|self-signed)/)
      expect(await doubting.ended).toEqual({ code: 1, signal: null, stderr: '' })
    },
  )
})

describe('authentication', () => {
  test.each(BROKERS)('is accepted and refused on %s', { timeout: TIMEOUT_MS }, async (_, start) => {
    const { url } = await ending(start({ users: { fleet: 'secret' } }))
    const knock = (credentials: string) =>
      example('authentication/knock.ts', { RIVULET_URL: url.replace('//', `//${credentials}`) })
    const [accepted, wrong, nobody] = [knock('fleet:secret@'), knock('fleet:wrong@'), knock('')]
    expect(await accepted.line('')).toBe("{ knock: 'accepted' }")
    expect(await accepted.ended).toEqual({ code: 0, signal: null, stderr: '' })
    for (const refused of [wrong, nobody]) {
      expect(await refused.line('')).toMatch(
        /^TRANSPORT_FAILED: .*(not authori[sz]ed|authorization violation|WRONGPASS|NOAUTH)/i,
      )
      expect(refused.lines.join('\n')).not.toContain('fleet:wrong')
      expect(await refused.ended).toEqual({ code: 1, signal: null, stderr: '' })
    }
  })
})

test('a transport of your own carries a message', { timeout: TIMEOUT_MS }, async () => {
  const program = example('own-transport/program.ts', {})
  expect(await program.line('')).toBe('received 1, local: false')
  expect(await program.ended).toEqual({ code: 0, signal: null, stderr: '' })
})

function example(file: string, env: Record<string, string>): Program {
  const program = startProgram(`examples/${file}`, [], env)
  onTestFinished(() => program.kill())
  return program
}

function script(file: string, port: number, kind: string): Program {
  const program = startCommand('sh', [join(ROOT, 'examples', file), String(port), kind])
  onTestFinished(() => program.kill())
  return program
}
