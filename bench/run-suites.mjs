import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { clearResults, readResult, writePictures } from './report/results.mjs'

const CHILD = join(import.meta.dirname, 'run-suite.mjs')
// A million streams and their rivals live side by side.
const NODE_OPTIONS = ['--expose-gc', '--max-old-space-size=12288']

/**
 * Runs each suite in a process of its own, so that none leaves its mark on the next one's compiled code; the
 * rivals of one suite share that process. Resolves to whether all went well.
 * @param {import('./options.mjs').Settings} settings
 */
export async function runSuites(settings) {
  clearResults(settings.out, settings.suites)
  const failed = []
  for (const suite of settings.suites) {
    if (!(await runSuite(suite, settings))) failed.push(suite)
  }
  const results = settings.suites
    .filter((suite) => !failed.includes(suite))
    .map((suite) => readResult(settings.out, suite))
  if (settings.isJson) console.log(JSON.stringify(results, undefined, 2))
  if (results.length > 0) writePictures(settings.out)
  if (!settings.isJson) console.log(`\nResults, pictures and report.html are in ${settings.out}`)
  for (const suite of failed) console.error(`The suite ${suite} failed.`)
  return failed.length === 0
}

async function runSuite(suite, settings) {
  const output = settings.isJson ? 'ignore' : 'inherit'
  const child = spawn(process.execPath, [...NODE_OPTIONS, CHILD, suite, JSON.stringify(settings)], {
    stdio: ['ignore', output, 'inherit'],
  })
  const [code] = await once(child, 'exit')
  return code === 0
}
