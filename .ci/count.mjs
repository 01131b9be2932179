import { existsSync, readFileSync } from 'node:fs'

// Prints `N passed, N failed[, N skipped]` from vitest's result file and the exit code of the gate, and exits
// with a code that says the same. A step outside vitest that failed counts as one failure.
const [resultsFile = '', gateStatus = '1'] = process.argv.slice(2)
const results = existsSync(resultsFile) ? JSON.parse(readFileSync(resultsFile, 'utf8')) : undefined
const passed = results?.numPassedTests ?? 0
const skipped = (results?.numPendingTests ?? 0) + (results?.numTodoTests ?? 0)
const failedInVitest = (results?.numFailedTests ?? 0) + filesThatDidNotLoad()
const isBroken = gateStatus !== '0' || passed === 0
const failed = failedInVitest === 0 && isBroken ? 1 : failedInVitest

// The end of a long log is what people see first.
for (const { name, message, assertionResults } of results?.testResults ?? []) {
  if (message && assertionResults.length === 0) console.log(`did not load: ${name}\n${message}`)
  for (const { fullName, status, failureMessages } of assertionResults) {
    if (status === 'failed') console.log(`failed: ${fullName}\n${failureMessages.join('\n')}`)
    // Of a test that passed these are what its first run failed with.
    else if (failureMessages.length > 0) {
      console.log(`passed when it ran again: ${fullName}\n${failureMessages.join('\n')}`)
    }
  }
}
console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`)
process.exitCode = failed === 0 ? 0 : 1

function filesThatDidNotLoad() {
  const files = results?.testResults ?? []
  return files.filter((file) => file.status === 'failed' && file.assertionResults.length === 0).length
}
