import { hostname } from 'node:os'
import { describe, expect, test } from 'vitest'
import { type Broker, startMosquitto, startNats } from '../../../test/support/brokers.ts'
import { freePort } from '../../../test/support/free-port.ts'
import { ending } from '../../../test/support/live.ts'
import { startRedis } from '../../../test/support/redis-servers.ts'
import { CliProcess, CliTerminal, runCli } from './support/cli-process.ts'
import { publisherOn } from './support/publisher.ts'

interface Check {
  readonly name: string
  readonly state: string
  readonly text: string
  readonly advice?: string
  readonly isRefused?: boolean
}

/** Runs a check with JSON, and resolves to its results by name. */
async function checked(args: readonly string[]) {
  const { exitCode, stdout, stderr } = await runCli(['check', ...args, '--json'])
  const { broker, checks } = JSON.parse(stdout) as {
    readonly broker: string
    readonly checks: readonly Check[]
  }
  const states = Object.fromEntries(checks.map(({ name, state }) => [name, state]))
  const check = (name: string) => checks.find((each) => each.name === name)
  return { exitCode, stdout, stderr, broker, checks, states, check }
}

const BROKERS = [
  { kind: 'NATS', start: () => startNats(), echoes: 'does not send them back' },
  { kind: 'MQTT', start: () => startMosquitto(), echoes: 'does not send them back' },
  { kind: 'Redis', start: () => startRedis(), echoes: 'sends them back' },
]

describe.each(BROKERS)('rivulet check over $kind', ({ start, echoes }) => {
  test('finds everything fine, the contract included, and ends with 0', async () => {
    const { url } = await ending(start())
    const { exitCode, broker, checks, check, stderr } = await checked([url, '--hub', 'fleet'])
    expect(checks.filter(({ state }) => state === 'warning' || state === 'failed')).toEqual([])
    expect({ exitCode, broker, stderr }).toEqual({ exitCode: 0, broker: url, stderr: '' })
    expect(check('connection')?.text).toBe(`${url}, hub fleet`)
    expect(check('round trip')?.text).toMatch(/p50 [\d.]+ ms, p99 [\d.]+ ms, .* of 50 barriers/)
    expect(check('reach')?.text).toBe('frames travel over the network')
    expect(check('own frames')?.text).toContain(echoes)
    expect(check('subscribe')?.text).toMatch(/^on rivulet\/fleet\/rivulet-check-[0-9a-f]{12}$/)
    expect(check('publish')?.text).toContain('confirmed and heard')
    expect(check('clock')?.text).toMatch(/another process, on this machine, is .* give or take [\d.]+ ms/)
    const [, passed, all] = /^(\d+) of (\d+) checks/.exec(check('contract')?.text ?? '') ?? []
    expect(passed).toBe(all)
    expect(Number(passed)).toBeGreaterThan(20)
    expect(check('contract')?.text).toContain('skipped, since they need control over the broker')
  })
})

describe('rivulet check', () => {
  test('prints a line for each result on a pipe', async () => {
    const { url } = await ending(startNats())
    const { exitCode, stdout } = await runCli(['check', '--url', url, '--no-contract'])
    expect(exitCode).toBe(0)
    const lines = stdout.trimEnd().split('\n')
    expect(lines[0]).toBe(`ok       connection     ${url}, hub default`)
    for (const line of lines) expect(line).toMatch(/^(ok|skipped) {2,}[a-z ]+ {2,}\S/)
    expect(stdout).not.toContain('contract')
  })

  test('colours the states in a terminal', async () => {
    const { exitCode, screen } = await new CliTerminal(['check', 'memory:check', '--no-contract']).ended()
    expect(exitCode).toBe(0)
    expect(screen).toContain('\x1b[32mok      \x1b[39m connection     memory:check, hub default')
    expect(screen).toContain('\x1b[90mskipped \x1b[39m clock')
  })

  test('checks a hub of one process, with a watch and without another clock', async () => {
    const { exitCode, states, check } = await checked(['memory:check'])
    expect(exitCode).toBe(0)
    expect(states).toMatchObject({ watch: 'ok', clock: 'skipped', contract: 'ok' })
    expect(check('reach')?.text).toBe('frames travel within this process')
  })

  test('ends with 3 when the broker is away', async () => {
    const url = `nats://ann:secret@127.0.0.1:${await freePort()}`
    const { exitCode, checks, stdout, stderr } = await checked([url, '--wait', '300ms'])
    expect(exitCode).toBe(3)
    expect(checks).toMatchObject([{ name: 'connection', state: 'failed' }])
    expect(checks[0]?.text).toContain('was not up within 300 ms')
    expect(`${stdout}${stderr}`).not.toContain('secret')
  })

  test('ends with 2 when the command line is wrong', async () => {
    const nowhere = await runCli(['check'])
    expect(nowhere).toMatchObject({ exitCode: 2, stdout: '' })
    expect(nowhere.stderr).toContain('There is no URL of a broker')
    const strange = await runCli(['check', 'http://127.0.0.1:1', '--json'])
    expect(strange).toMatchObject({ exitCode: 2, stdout: '' })
    expect(strange.stderr).toContain("A transport's URL starts with")
    const stream = await runCli(['check', 'memory:check', '--stream', ''])
    expect(stream.exitCode).toBe(2)
    expect(stream.stderr).toContain('no name for a stream')
  })

  test('ends with 1 when the broker drops frames that it should pass', async () => {
    // A broker of MQTT 3.1.1 does not announce its limit.
    const { url } = await ending(startMosquitto({ config: 'message_size_limit 2000' }))
    const { exitCode, checks } = await checked([`${url}?protocol=4`])
    expect(exitCode).toBe(1)
    const broken = checks.filter(({ state }) => state === 'failed')
    expect(broken[0]).toMatchObject({ name: 'contract', advice: 'See below.' })
    expect(broken[1]?.text).toContain(
      'it breaks "takes frames up to maxFrameBytes and survives a larger one"',
    )
  })

  test('ends with 1 and a reason when it cannot go on', async () => {
    const { url } = await ending(startNats({ config: 'max_connections: 2' }))
    const { exitCode, checks } = await checked([url])
    expect(exitCode).toBe(1)
    expect(checks.at(-1)).toMatchObject({ name: 'check', state: 'failed' })
    expect(checks.at(-1)?.text).toContain('No NATS server took the connection')
  })

  test('ends at Ctrl-C', async () => {
    const { url } = await ending(startNats())
    const running = new CliProcess(['check', url])
    await running.prints('round trip')
    running.kill('SIGINT')
    expect((await running.ended()).exitCode).toBe(0)
  })
})

describe('the clock of rivulet check', () => {
  test('is compared with that of a process that answers', async () => {
    const { url } = await ending(startNats())
    const answering = new CliProcess(['check', '--answer', '--url', url])
    await answering.says('Answering')
    const { exitCode, check } = await checked(['--peer', '--no-contract', '--url', url])
    expect(exitCode).toBe(0)
    expect(check('clock')).toMatchObject({ state: 'ok' })
    expect(check('clock')?.text).toContain(`the clock of ${hostname()} is `)
    expect(check('clock')?.text).toContain('of 20 answers')
    answering.kill('SIGINT')
    const ended = await answering.ended()
    expect(ended.exitCode).toBe(0)
    expect(ended.stderr).toMatch(/answered \d\d/)
  })

  test('is answered on a stream that was removed before', async () => {
    const { url } = await ending(startNats())
    const answering = new CliProcess(['check', '--answer', '--url', url])
    await answering.says('Answering')
    const hub = await publisherOn(url)
    hub.stream('rivulet-check-clock').remove()
    await hub.flush()
    const { check } = await checked(['--peer', '--no-contract', '--url', url])
    expect(check('clock')).toMatchObject({ state: 'ok' })
  })

  test('is a warning without an answer', async () => {
    const { url } = await ending(startNats())
    const { exitCode, check } = await checked(['--peer', '--no-contract', '--url', url])
    expect(exitCode).toBe(0)
    expect(check('clock')).toMatchObject({ state: 'warning', text: 'no answer' })
  })
})

describe('rivulet check for a user without permission to', () => {
  const user = (permissions: string) =>
    `authorization { users: [ { user: ann, password: secret, permissions: { ${permissions} } } ] }`
  const urlOf = (broker: Broker, password = 'secret') => broker.url.replace('//', `//ann:${password}@`)

  test('connect ends with 2, and prints no password', async () => {
    const broker = await ending(startNats({ config: user('') }))
    const { exitCode, checks, stdout, stderr } = await checked([urlOf(broker, 'wrong')])
    expect(exitCode).toBe(2)
    expect(checks).toMatchObject([{ name: 'connection', state: 'failed', isRefused: true }])
    expect(`${stdout}${stderr}`).not.toMatch(/wrong|secret/)
  })

  test.each([
    ['publish', /Permissions Violation for Publish/],
    ['subscribe', /Permissions Violation for Subscription/],
  ])('%s ends with 2, and skips the checks that need it', async (denied, words) => {
    const broker = await ending(startNats({ config: user(`${denied}: { deny: "rivulet.>" }`) }))
    const { exitCode, check, states } = await checked([urlOf(broker)])
    expect(exitCode).toBe(2)
    expect(check(denied)).toMatchObject({ state: 'failed', isRefused: true })
    expect(check(denied)?.text).toMatch(words)
    expect(check(denied)?.advice).toContain('rivulet/default/#')
    expect(states).toMatchObject({ clock: 'skipped', contract: 'skipped' })
  })

  test('publish, which the broker drops silently, ends with 2', async () => {
    const broker = await ending(
      startMosquitto({
        files: { acl: 'topic readwrite rivulet/fleet/#\n' },
        config: (folder) => `acl_file ${folder}/acl`,
      }),
    )
    const open = await checked([broker.url, '--hub', 'fleet', '--stream', 'open', '--no-contract'])
    expect(open).toMatchObject({ exitCode: 0, states: { publish: 'ok', clock: 'ok' } })
    const { exitCode, check } = await checked([broker.url])
    expect(exitCode).toBe(2)
    expect(check('publish')).toMatchObject({ state: 'failed', isRefused: true })
    expect(check('publish')?.text).toContain('the broker drops it in silence')
  })

  test('leave its own hub runs all checks in that hub', async () => {
    const own = 'publish: { allow: "rivulet.fleet.>" }, subscribe: { allow: "rivulet.fleet.>" }'
    const broker = await ending(startNats({ config: user(own) }))
    const { exitCode, checks } = await checked([urlOf(broker), '--hub', 'fleet'])
    expect(checks.filter(({ state }) => state === 'warning' || state === 'failed')).toEqual([])
    expect(exitCode).toBe(0)
    const other = await checked([urlOf(broker)])
    expect(other.exitCode).toBe(2)
  })
})
