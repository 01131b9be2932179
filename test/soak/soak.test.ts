import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execa } from 'execa'
import { describe, expect, onTestFinished, test } from 'vitest'
import { plant } from '../simulation/bugs.ts'
import { ROOT } from '../support/source-files.ts'
import { BUGS } from './bugs.ts'
import { leastSquares } from './slopes.ts'
import { soak } from './soak.ts'

const SHORT = { minutes: 0.25, seed: 1, hubs: 5, streams: 300 }

describe.concurrent('a soak', () => {
  test.each(['nats', 'mosquitto'] as const)(
    'of a quarter of a minute breaks no law on %s',
    async (broker) => {
      const { broken, outages, censuses, samples, ledger } = await soak({ broker, ...SHORT })
      expect(broken).toEqual([])
      expect(outages.length).toBeGreaterThan(0)
      expect(censuses.length).toBe(outages.length)
      for (const { arrived } of censuses) expect(arrived).toBeGreaterThan(0)
      expect(samples.at(-1)?.heapBytes).toBeGreaterThan(0)
      expect(ledger.delivered).toBeGreaterThan(0)
      expect(ledger).toMatchObject({ subscribers: 0, inFlight: 0, waiting: 0 })
    },
  )

  test.each(BUGS)('finds a mistake in the library: $name', async (bug) => {
    // With this seed the first faults are short, so that more time is left to measure.
    const size = { minutes: 0.5, seed: 2, hubs: 3, streams: 1_000 }
    const { broken } = await soak({ broker: 'nats', ...size, bug })
    expect(broken.map(({ law }) => law)).toContain(bug.law)
  })
})

test.each(BUGS)('the mistake fits into the library as it is: $name', (bug) => {
  const text = readFileSync(join(ROOT, bug.file), 'utf8')
  expect(plant(bug, text)).not.toBe(text)
})

test('a line is fitted by least squares, with the error of its slope', () => {
  const around = (rests: readonly number[]) => leastSquares(rests.map((rest, x) => [x, 7 + 2 * x + rest]))
  expect(around([0, 0, 0, 0])).toEqual({ slope: 2, start: 7, error: 0 })
  // Worked by hand: √(4 / 2 / 5). Neighbours differ.
  expect(around([1, -1, -1, 1])).toEqual({ slope: 2, start: 7, error: Math.sqrt(0.4) })
  // √(84 / 4 / 17.5), and √(7 / 5) for neighbours that are alike by a sixth.
  const { slope, error } = around([5, -1, -4, -4, -1, 5])
  expect(slope).toBeCloseTo(2)
  expect(error).toBeCloseTo(Math.sqrt(1.2 * 1.4))
})

describe('npm run soak', () => {
  const command = (...options: string[]) =>
    execa(
      process.execPath,
      ['--import', 'tsx', '--conditions=@rivulet/source', 'test/soak/command.ts', ...options],
      { cwd: ROOT, reject: false, detached: true },
    )

  test('ends by Ctrl-C in good order, with a summary, the measurements and a chart', async () => {
    const out = mkdtempSync(join(tmpdir(), 'rivulet-soak-test-'))
    onTestFinished(() => rmSync(out, { recursive: true }))
    const size = ['--broker', 'redis', '--minutes', '60', '--hubs', '2', '--streams', '20']
    const running = command(...size, '--out', out)
    await new Promise<void>((resolve) => {
      running.stderr.on('data', (chunk) => String(chunk).includes(' arrived') && resolve())
    })
    // As a terminal does: the signal reaches the hubs and the broker, too.
    process.kill(-(running.pid as number), 'SIGINT')
    const { stdout, exitCode } = await running
    expect(stdout).toContain('No law is broken.')
    expect(exitCode).toBe(130)
    const { broken, samples } = JSON.parse(readFileSync(join(out, 'redis.json'), 'utf8'))
    expect(broken).toEqual([])
    expect(samples.length).toBeGreaterThan(0)
    const chart = readFileSync(join(out, 'redis.svg'), 'utf8')
    expect(chart).toMatch(/^<svg [\s\S]*heap in use after a collection, MB[\s\S]*<\/svg>$/)
  })

  test('refuses a broker that there is not, and what is no number', async () => {
    const [broker, minutes, hubs] = await Promise.all([
      command('--broker', 'nothing'),
      command('--minutes', 'many'),
      command('--hubs', '1'),
    ])
    expect(broker.stderr).toContain('There are nats, mosquitto, redis, valkey, or all.')
    expect(broker.exitCode).toBe(1)
    expect(minutes.stderr).toContain('It is a number above 0.')
    expect(hubs.stderr).toContain('It is a whole number from 2.')
  })
})
