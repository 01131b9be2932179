import { configDefaults, defineConfig, type TestProjectInlineConfiguration } from 'vitest/config'

const conditions = ['@rivulet/source']

// A property that fails has found something, so it never runs again with another seed.
const LAWS = ['test/*.test.ts', 'packages/*/test/**/*.property.test.ts']
const WITH_PROCESSES = [
  'packages/*/test/**/!(*.property).test.ts',
  'test/{brokers,support}/**/*.test.ts',
  'test/{bench,demo,demo-brokers,examples,scenario}.test.ts',
]

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions, externalConditions: conditions } },
  test: {
    globalSetup: './test/support/install-programs.ts',
    // Much of a run is waiting for brokers that are stopped or cut off, so files share the two cores well.
    maxWorkers: 3,
    // No test asserts a time; what ends by itself may take long on a busy machine.
    testTimeout: 180_000,
    hookTimeout: 120_000,
    projects: [
      project('laws', { include: LAWS, exclude: [...configDefaults.exclude, ...WITH_PROCESSES] }),
      // A machine that stands still for seconds breaks connections, as it should. Such a test runs once more, and
      // the gate names it at its end.
      project('processes', {
        include: WITH_PROCESSES,
        retry: 1,
      }),
    ],
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

function project(name: string, test: TestProjectInlineConfiguration['test']): TestProjectInlineConfiguration {
  return { extends: true, test: { ...test, name } }
}
