import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
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
    const { broken } = await soak({ broker: 'nats', ...SHORT, hubs: 3, streams: 1_000, bug })
    expect(broken.map(({ law }) => law)).toContain(bug.law)
  })
})

test.each(BUGS)('the mistake fits into the library as it is: $name', (bug) => {
  const text = readFileSync(join(ROOT, bug.file), 'utf8')
  expect(plant(bug, text)).not.toBe(text)
})

test('a line is fitted by least squares, with the error of its slope', () => {
  expect(leastSquares([0, 1, 2, 3].map((x) => [x, 5 - 2 * x]))).toEqual({ slope: -2, start: 5, error: 0 })
  // Worked by hand: residuals 1, -1, -1, 1, so the error is √(4 / 2 / 5).
  const { slope, start, error } = leastSquares([0, 1, 2, 3].map((x) => [x, x + (x % 3 === 0 ? 1 : -1)]))
  expect([slope, start, error]).toEqual([1, 0, Math.sqrt(0.4)])
})
