import { statSync } from 'node:fs'
import { configDefaults, defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'
import { CORE_TESTS, NOT_FOR_MUTANTS } from './parts.ts'

const conditions = ['@rivulet/source']
// Within a run the shortest files come first: most mutants are found by any of them. The files of the contract are short,
// but their suite is long.
class ShortestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const bytes = (file: TestSpecification) =>
      /\/laws\/|\/contract/.test(file.moduleId) ? 1e6 : statSync(file.moduleId).size
    return [...files].sort((one, other) => bytes(one) - bytes(other))
  }
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
    sequence: { sequencer: ShortestFirst },
    // A worker starts anew for each mutant: within it the library is loaded once for all files.
    isolate: !isStryker,
    setupFiles: ['test/mutation/fewer-runs.ts'],
    // A mutant that hangs is a mutant that a test finds by its deadline.
    testTimeout: isStryker ? 40_000 : 90_000,
    hookTimeout: 20_000,
  },
})
