import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execa } from 'execa'
import { afterAll, expect, test } from 'vitest'
import { ROOT } from '../support/source-files.ts'

const folder = mkdtempSync(join(tmpdir(), 'rivulet-gate-'))
afterAll(() => rmSync(folder, { recursive: true }))

interface Results {
  numPassedTests: number
  numFailedTests: number
  numPendingTests?: number
  testResults?: { status: string; assertionResults: unknown[] }[]
}

async function count(
  results: Results | undefined,
  gateStatus: number,
): Promise<[line: string, code?: number]> {
  const file = join(folder, results ? 'results.json' : 'absent.json')
  if (results) writeFileSync(file, JSON.stringify(results))
  const { stdout, exitCode } = await execa('node', ['.ci/count.mjs', file, `${gateStatus}`], {
    cwd: ROOT,
    reject: false,
  })
  return [stdout, exitCode]
}

const passing = { numPassedTests: 12, numFailedTests: 0 }

test('the gate counts what passed', async () => {
  expect(await count(passing, 0)).toEqual(['12 passed, 0 failed', 0])
})

test('the gate names what was skipped', async () => {
  expect(await count({ ...passing, numPendingTests: 2 }, 0)).toEqual(['12 passed, 0 failed, 2 skipped', 0])
})

test('the gate fails with a test that failed', async () => {
  expect(await count({ numPassedTests: 12, numFailedTests: 3 }, 1)).toEqual(['12 passed, 3 failed', 1])
})

test.each([
  ['failed', 'failed: it moves\nlate\n12 passed, 1 failed'],
  ['passed', 'passed when it ran again: it moves\nlate\n12 passed, 1 failed'],
])('the gate names a test that %s with a failure', async (status, output) => {
  const assertionResults = [{ fullName: 'it moves', status, failureMessages: ['late'] }]
  const testResults = [{ status, assertionResults }]
  expect(await count({ numPassedTests: 12, numFailedTests: 1, testResults }, 1)).toEqual([output, 1])
})

test('the gate counts a file that did not load', async () => {
  const testResults = [{ status: 'failed', assertionResults: [] }]
  expect(await count({ ...passing, testResults }, 1)).toEqual(['12 passed, 1 failed', 1])
})

test('the gate counts a step outside vitest that failed', async () => {
  expect(await count(passing, 1)).toEqual(['12 passed, 1 failed', 1])
})

test('the gate fails when no test ran', async () => {
  expect(await count(undefined, 1)).toEqual(['0 passed, 1 failed', 1])
  expect(await count(undefined, 0)).toEqual(['0 passed, 1 failed', 1])
  expect(await count({ numPassedTests: 0, numFailedTests: 0 }, 0)).toEqual(['0 passed, 1 failed', 1])
})
