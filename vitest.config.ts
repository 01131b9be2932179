import { defineConfig } from 'vitest/config'

const conditions = ['@rivulet/source']

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions, externalConditions: conditions } },
  test: {
    include: ['test/**/*.test.ts', 'packages/*/test/**/*.test.ts'],
    globalSetup: './test/support/install-programs.ts',
    // Much of a run is waiting for brokers that are stopped or cut off, so files share the two cores well.
    maxWorkers: 3,
    testTimeout: 60_000,
    hookTimeout: 120_000,
    // The file is what `.ci/run` counts from.
    reporters: ['default', ['json', { outputFile: '.cache/test-results.json' }]],
    coverage: {
      provider: 'v8',
      include: ['src/**', 'packages/memory/src/**'],
      reporter: ['text', 'json-summary', 'html'],
      reportsDirectory: 'coverage',
      reportOnFailure: true,
    },
  },
})
