import { configDefaults, defineConfig, type TestProjectInlineConfiguration } from 'vitest/config'
import { propertySeed } from './test/support/property-seed.ts'

const conditions = ['@rivulet/source']

// Properties that random input is tried against.
const LAWS = ['test/{laws,simulation}/**/*.test.ts', '{test,packages/*/test}/**/*.property.test.ts']
// What starts a broker, a browser or a program.
const WITH_PROCESSES = [
  'test/{brokers,differential,support,fuzz,soak}/**/*.test.ts',
  'packages/!(memory)/test/**/!(*.property).test.ts',
  'test/{,house/}{bench,demo,demo-brokers,documentation,examples,gate-count,scenario}.test.ts',
]
// A folder for each folder of `src`, and the house: the rules that this repository keeps.
const UNITS = [
  'test/*.test.ts',
  'test/{adapter,hub,tap,stream,publish,deliver,send,receive,connection,state,message,errors,base,testing,house}/**/*.test.ts',
  'packages/memory/test/**/*.test.ts',
]

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions, externalConditions: conditions } },
  test: {
    // Much of a run is waiting for brokers that are stopped or cut off, so files share the two cores well.
    maxWorkers: 4,
    // No test asserts a time; what ends by itself may take long on a busy machine.
    testTimeout: 180_000,
    hookTimeout: 120_000,
    env: { PROPERTY_SEED: propertySeed() },
    expect: { poll: { timeout: 60_000 } },
    projects: [
      project('units', {
        include: UNITS,
        exclude: [...configDefaults.exclude, ...WITH_PROCESSES, ...LAWS],
        setupFiles: './test/support/seed-properties.ts',
      }),
      // A property that fails has found something, so it never runs again with another seed.
      project('laws', { include: LAWS, setupFiles: './test/support/seed-properties.ts' }),
      // A machine that stands still for seconds breaks connections, as it should. Such a test runs once more, and
      // the gate names it at its end.
      project('processes', {
        include: WITH_PROCESSES,
        globalSetup: './test/support/install-programs.ts',
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
