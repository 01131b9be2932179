import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { execa } from 'execa'
import { describe, expect, test } from 'vitest'
import { startMosquitto, startNats } from './support/brokers.ts'
import { bundleDemo } from './support/bundled-demo.ts'
import { freePort } from './support/free-port.ts'
import { startRedis } from './support/redis-servers.ts'
import { ROOT } from './support/source-files.ts'
import { waitFor } from './support/wait-for.ts'

const QUAKES = 1707
const DEMO = bundleDemo()
const TIMEOUT_MS = 120_000
const INTERRUPTED = 130
const ATTEMPTS = 3
const PATIENCE = { timeout: 20_000, interval: 20 }

function runDemo(...options: string[]) {
  return execa('node', [DEMO, ...options], { cwd: ROOT, reject: false, timeout: TIMEOUT_MS })
}

/** Reads a row of a table: the numbers behind its name. */
function rowOf(output: string, name: string): number[] {
  const line = output.split('\n').find((candidate) => candidate.split('│')[1]?.trim() === name) ?? ''
  return line.split('│').slice(2, -1).map(Number)
}

/**
 * Runs the demo, and again while a reader was cut off: where a process stands still for seconds, the broker gives it
 * up, as it should. Each run keeps the laws.
 */
async function runUninterrupted(...options: string[]): Promise<string> {
  for (let attempt = 1; ; attempt += 1) {
    const { stdout, stderr, exitCode } = await runDemo(...options)
    expect({ stderr, exitCode }, stdout).toEqual({ stderr: '', exitCode: 0 })
    if (attempt === ATTEMPTS || !/cut off|known as lost|lost\./.test(stdout)) return stdout
  }
}

function expectWholeWeek(stdout: string): void {
  // The publisher's own frames come back on Redis, and are dropped.
  const [own, ...received] = rowOf(stdout, 'received')
  expect(received).toEqual([QUAKES, QUAKES, QUAKES])
  expect(own).toBe(stdout.includes('+ dropped.echo') ? rowOf(stdout, '+ dropped.echo')[0] : 0)
  expect(rowOf(stdout, '+ delivered')).toEqual([0, QUAKES, QUAKES, QUAKES])
  const [accepted] = rowOf(stdout, 'accepted')
  // On a machine that is busy enough a barrier is answered late; what it covers arrived all the same, see above.
  const [confirmed = 0, ...others] = rowOf(stdout, '+ confirmed')
  const [unconfirmed = 0] = stdout.includes('+ unconfirmed') ? rowOf(stdout, '+ unconfirmed') : []
  expect(confirmed + unconfirmed).toBe(accepted)
  expect(others).toEqual([0, 0, 0])
  expect(stdout).toContain('M 6.4')
  expect(stdout).toMatch(/All 25 laws hold\./)
  expect(stdout).not.toMatch(/WRONG|BROKEN/)
}

describe.concurrent('the demo across processes', () => {
  test.for(['nats', 'mosquitto', 'redis'])(
    'starts %s by itself, and every law holds',
    { timeout: TIMEOUT_MS },
    async (broker) => {
      expectWholeWeek(await runUninterrupted('--seconds', '2', '--quiet', '--broker', broker))
    },
  )

  test.for([
    ['nats', startNats, 2],
    ['mqtt', startMosquitto, 1],
    ['redis', startRedis, 1],
  ] as const)(
    'uses the broker that a URL of %s names',
    { timeout: TIMEOUT_MS },
    async ([, start, atOnce], { onTestFinished }) => {
      const broker = await start()
      onTestFinished(() => broker.close())
      const { url } = broker
      const runs = await Promise.all(
        Array.from({ length: atOnce }, () => runUninterrupted('--seconds', '2', '--transport', url)),
      )
      for (const stdout of runs) {
        expectWholeWeek(stdout)
        expect(stdout).toContain(`three others read over ${url}.`)
        expect(stdout).toContain('Feb 6 15:50  M 6.4')
      }
    },
  )

  test('says in one sentence that there is no broker, without the password', {
    timeout: TIMEOUT_MS,
  }, async () => {
    const url = `nats://fleet:secret@127.0.0.1:${await freePort()}`
    const { stdout, stderr, exitCode } = await runDemo('--transport', url)
    expect(stderr).toMatch(/^The transport was not up within 5000 ms; .*$/)
    expect(stderr).not.toContain('secret')
    expect({ stdout, exitCode }).toEqual({ stdout: '', exitCode: 1 })
  })

  test.for<[string[], string]>([
    [['--transport', 'ftp://host'], 'It is a URL such as nats://'],
    [['--broker', 'rabbit'], 'Allowed choices are nats, mosquitto, redis'],
    [['--broker', 'nats', '--loss', '0.1'], "'--broker <name>' cannot be used with option '--loss <p>'"],
    [['--broker', 'nats', '--transport', 'nats://h'], 'cannot be used with option'],
  ])('says what is wrong with %j', async ([options, advice]) => {
    const { stdout, stderr, exitCode } = await runDemo(...options)
    expect(stderr).toContain(advice)
    expect({ stdout, exitCode }).toEqual({ stdout: '', exitCode: 1 })
  })

  test.for([
    ['nats', 'SIGINT'],
    ['mosquitto', 'SIGTERM'],
    ['redis', 'SIGINT'],
  ] as const)(
    'leaves no process behind when %s is interrupted by %s',
    { timeout: TIMEOUT_MS },
    async ([broker, signal], { onTestFinished }) => {
      // A group of its own, as a terminal makes one: Ctrl-C reaches the readers and the broker as well.
      const demo = spawn(process.execPath, [DEMO, '--seconds', '60', '--broker', broker], {
        cwd: ROOT,
        detached: true,
      })
      const group = -(demo.pid as number)
      onTestFinished(() => void (isAlive(group) && process.kill(group, 'SIGKILL')))
      let output = ''
      for (const stream of [demo.stdout, demo.stderr]) {
        stream.on('data', (chunk) => {
          output += chunk
        })
      }
      await waitFor(() => expect(output).toContain('quakes published'), PATIENCE)
      process.kill(signal === 'SIGINT' ? group : (demo.pid as number), signal)
      const [code] = await once(demo, 'close')
      expect(code).toBe(INTERRUPTED)
      expect(output).toMatch(/Stopped: every hub is closed\.\n$/)
      expect(output).not.toMatch(/Error|rivulet:/)
      await waitFor(() => expect(isAlive(group)).toBe(false), PATIENCE)
    },
  )
})

function isAlive(group: number): boolean {
  try {
    return process.kill(group, 0)
  } catch {
    return false
  }
}
