import { existsSync } from 'node:fs'
import { defineConfig } from 'vitest/config'

const conditions = ['@rivulet/source']
const installers = [
  './test/support/install-brokers.ts',
  './packages/gateway/test/support/install-chromium.ts',
]

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions, externalConditions: conditions } },
  test: {
    include: ['test/**/*.test.ts', 'packages/*/test/**/*.test.ts'],
    globalSetup: installers.filter((path) => existsSync(path)),
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
