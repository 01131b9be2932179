import type { Ledger } from 'rivulet'
import { expect, test } from 'vitest'
import { bundleProgram } from '../support/bundle-program.ts'
import { expectLaws } from '../support/ledger-laws.ts'
import { BROKER_KINDS } from '../support/live.ts'
import { startScript } from '../support/program.ts'

// The rate of pages is held by the gateway, and tested there.
// Row 68 of the catalogue of faults, with a bucket that belongs to the stream and not to a process.
const PROGRAM = bundleProgram('test/brokers/rate-process.ts')
const PROCESSES = ['a', 'b', 'c']
const ATTEMPTS = 250
const BURST = 30
const PER_SECOND = 30
// DESIGN 4: the burst, the part of it that stays free for the own messages, and a second of tolerance.
const MOST_PER_SECOND = 1.001 * PER_SECOND
const MOST_AT_ONCE = BURST + BURST / 4 + MOST_PER_SECOND

interface Result {
  readonly seenMs: readonly number[]
  /** The codes of the errors that the stream told of. */
  readonly told: readonly string[]
  readonly ledger: Ledger
}

test.concurrent.for(BROKER_KINDS)(
  'no subscriber sees more than the stream may carry over $kind',
  {
    timeout: 90_000,
  },
  async ({ start, query }, { onTestFinished }) => {
    const broker = await start()
    onTestFinished(() => broker.close())
    const programs = PROCESSES.map((name) => startScript(PROGRAM, [broker.url + query, name]))
    onTestFinished(() => {
      for (const program of programs) program.kill()
    })
    await Promise.all(programs.map((program) => program.line('ready')))
    for (const program of programs) program.tell('go')
    const accepted = await Promise.all(programs.map((program) => program.json<number>('published ')))
    const total = accepted.reduce((sum, count) => sum + count, 0)
    for (const [index, program] of programs.entries()) program.tell(`${total - (accepted[index] ?? 0)}`)
    const results = await Promise.all(programs.map((program) => program.json<Result>('result ')))

    for (const { seenMs, told, ledger } of results) {
      expect(mostAbove(seenMs)).toBeLessThanOrEqual(MOST_AT_ONCE)
      expectLaws(ledger)
      const { attempts, accepted, refused, received, delivered, dropped, lost, missed } = ledger
      expect({ attempts, lost }).toEqual({
        attempts: ATTEMPTS,
        lost: { offline: 0, congested: 0, failed: 0 },
      })
      // Frames that were dropped unread look like gaps; beyond them the network lost nothing.
      expect(missed).toBeLessThanOrEqual(dropped.rateLimited)
      // The rest is counted: refused to its publisher, or dropped where it arrived.
      expect(accepted + refused.rateLimited).toBe(ATTEMPTS)
      expect(delivered + dropped.rateLimited + dropped.echo).toBe(received)
      expect(seenMs).toHaveLength(accepted + delivered)
      // Three processes publish more than one may see; that is told once.
      expect(told).toEqual(['RATE_LIMITED'])
      // It is full, not silent.
      expect(seenMs.length).toBeGreaterThan(PER_SECOND * 5)
    }
    for (const { ledger } of results) {
      expect(ledger.received - ledger.dropped.echo).toBe(total - ledger.accepted)
    }
    const endings = await Promise.all(programs.map(({ ended }) => ended))
    expect(endings).toEqual(PROCESSES.map(() => ({ code: 0, signal: null, stderr: '' })))
  },
)

/** Finds, over every window, the most messages beyond what leaked meanwhile. */
function mostAbove(timesMs: readonly number[]): number {
  let most = 0
  let level = 0
  let lastMs = timesMs[0] ?? 0
  for (const timeMs of timesMs) {
    level = Math.max(0, level - ((timeMs - lastMs) / 1000) * MOST_PER_SECOND) + 1
    lastMs = timeMs
    most = Math.max(most, level)
  }
  // The limiter compares with an epsilon.
  return Math.floor(most * 1000) / 1000
}
