import type * as fc from 'fast-check'
import { beforeEach, vi } from 'vitest'

const MOST_RUNS = 60
/** These cost too much for Stryker, one of them a program: they come when survivors are confirmed. */
const MANY = /thousand|million|65 53|from elsewhere/

beforeEach(({ task, skip }) => {
  if (process.env.STRYKER_MUTATOR_WORKER !== undefined && MANY.test(task.name)) skip()
})

// Every mutant meets the same inputs, and nothing is shrunk: one failure is enough.
vi.mock('fast-check', async (importOriginal) => {
  const original = await importOriginal<typeof fc>()
  const fewer = (parameters: fc.Parameters<unknown> = {}): fc.Parameters<unknown> => ({
    ...parameters,
    numRuns: Math.min(parameters.numRuns ?? 100, MOST_RUNS),
    seed: 1,
    endOnFailure: true,
  })
  const assert = (property: never, parameters?: fc.Parameters<unknown>) =>
    original.assert(property, fewer(parameters))
  return { ...original, default: { ...original.default, assert }, assert }
})
