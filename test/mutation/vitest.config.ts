import { configDefaults, defineConfig } from 'vitest/config'
import { ALL_TESTS, NOT_FOR_MUTANTS } from './parts.ts'

const conditions = ['@rivulet/source']
const tests = process.env.MUTATION_TESTS?.split('\n') ?? ALL_TESTS

// Run in the copy of the tree, by Stryker or by hand.
export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions, externalConditions: conditions } },
  test: {
    include: tests,
    exclude: [...configDefaults.exclude, ...NOT_FOR_MUTANTS],
    setupFiles: ['test/mutation/fewer-runs.ts'],
    // A mutant that hangs is a mutant that a test finds by its deadline.
    testTimeout: 20_000,
    hookTimeout: 20_000,
  },
})
