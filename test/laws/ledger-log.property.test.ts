import fc from 'fast-check'
import { expect, test } from 'vitest'
import { acts, options } from './ledger-log/acts.ts'
import { Scene } from './ledger-log/scene.ts'

/** Not there with a transport, or tested elsewhere. */
const NOT_REACHED = [
  'local',
  'evictedPublishers',
  'dropped.newerFormat',
  'iteratorDrops',
  'refused.aborted',
  'inFlight',
  'waiting',
  'subscribers',
]

test('each count of a ledger is what a log of every message gives, and each is reached', async () => {
  const reached = new Map<string, number>()
  await fc.assert(
    fc.asyncProperty(options, acts, async ({ limit, ...others }, script) => {
      const scene = new Scene({ ...limit, ...others })
      for (const act of script) await scene.do(act)
      for (const [name, count] of await scene.end()) reached.set(name, (reached.get(name) ?? 0) + count)
    }),
    { numRuns: 200 },
  )
  for (const [name, count] of reached) expect(count > 0, name).toBe(!NOT_REACHED.includes(name))
})
