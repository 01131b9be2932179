import { statSync } from 'node:fs'
import { configDefaults, defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'
import { CORE_TESTS, NOT_FOR_MUTANTS } from './parts.ts'

const conditions = ['@rivulet/source']
// Within a run those files come first that play a network by a script, then the shortest: most mutants are found by any
// of them. The files of the contract are short, but their suite is long.
class FastestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    return [...files].sort((one, other) => costOf(one.moduleId) - costOf(other.moduleId))
  }
}

function costOf(file: string): number {
  if (file.includes('/scripted')) return 0
  return /\/laws\/|\/contract/.test(file) ? 1e6 : statSync(file).size
}

const isStryker = process.env.STRYKER_MUTATOR_WORKER !== undefined
const tests = process.env.MUTATION_TESTS?.split('\n') ?? CORE_TESTS

// Run in the copy of the tree, by Stryker or by hand.
export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions, externalConditions: conditions } },
  test: {
    include: tests,
    exclude: [...configDefaults.exclude, ...NOT_FOR_MUTANTS],
    sequence: { sequencer: FastestFirst },
    // A worker starts anew for each mutant: within it the library is loaded once for all files.
    isolate: !isStryker,
    setupFiles: ['test/mutation/fewer-runs.ts'],
    // A mutant that hangs is a mutant that a test finds by its deadline.
    testTimeout: isStryker ? 40_000 : 90_000,
    hookTimeout: 20_000,
  },
})
