import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { createProgress } from './report/progress.mjs'
import { mergedRows } from './report/ratio.mjs'
import { clearResults, writePictures, writeResult } from './report/results.mjs'
import { caseText, headerText, verdictText } from './report/terminal.mjs'
import { startSuite } from './suite-process.mjs'
import { verdictsOf } from './targets.mjs'

// The package `node` brings a second Node; only the fan-out is shown on both.
const SECOND_NODE = join(import.meta.dirname, 'node_modules', 'node', 'bin', 'node')

/**
 * Runs the suites one after the other, prints and writes their results. Resolves to whether all succeeded.
 * @param {import('./options.mjs').Settings} settings
 */
export async function runSuites(settings) {
  const say = settings.isJson ? () => {} : console.log
  clearResults(settings.out, settings.suites)
  const results = []
  const failures = []
  for (const [index, name] of settings.suites.entries()) {
    const place = `${name} (${index + 1} of ${settings.suites.length})`
    try {
      results.push(await runSuite(name, settings, place, say))
    } catch (error) {
      failures.push(error)
    }
  }
  if (settings.isJson) console.log(JSON.stringify(results, undefined, 2))
  if (results.length > 0) writePictures(settings.out)
  say(verdictText(verdictsOf(results)))
  say(`\nResults, pictures and report.html are in ${settings.out}`)
  for (const { message } of failures) console.error(message)
  return failures.length === 0
}

/** Measures each case in all columns, which take turns each round. */
async function runSuite(name, settings, place, say) {
  const columns = columnsOf(name, settings)
  const processes = columns.map((column) => startSuite(name, settings, column))
  try {
    const plans = await Promise.all(processes.map(({ planned }) => planned))
    const result = resultOf(name, settings, columns, plans)
    say(headerText(result))
    const progress = createProgress(place, plans[0].cases.length)
    for (const each of plans[0].cases) {
      const rows = await measureInTurns(processes, each.name, progress)
      result.cases.push({ ...each, rows: mergedRows(rows, each.isLessBetter) })
      say(caseText(result, result.cases.at(-1)))
    }
    result.notes = (await Promise.all(processes.map((suite) => suite.next())))[0].notes
    for (const note of result.notes) say(`\n${note}`)
    writeResult(settings.out, result)
    return result
  } finally {
    for (const suite of processes) suite.end()
  }
}

function columnsOf(name, { against }) {
  if (against !== undefined) return [{ title: 'this checkout' }, { title: 'the other', checkout: against }]
  const hasSecond = name === 'fanout' && existsSync(SECOND_NODE) && !process.version.startsWith('v24.')
  return hasSecond ? [{}, { node: SECOND_NODE }] : [{}]
}

function resultOf(suite, { command, isQuick, rounds, against }, columns, plans) {
  return {
    suite,
    ...plans[0].about,
    ...{ date: new Date().toISOString(), command, isQuick, rounds, isAgainst: against !== undefined },
    machine: plans[0].machine,
    columns: plans.map(({ versions }, index) => ({
      title: columns[index].title ?? `Node ${versions.node.match(/\d+/)[0]}`,
      ...versions,
    })),
    ...{ cases: [], notes: [] },
  }
}

async function measureInTurns(processes, name, progress) {
  const rows = processes.map(() => undefined)
  progress.start(name)
  try {
    while (rows.includes(undefined)) {
      for (const [index, suite] of processes.entries()) {
        if (rows[index] !== undefined) continue
        const { share, rows: done } = await suite.next()
        if (done === undefined) progress.advance(share)
        rows[index] = done
      }
    }
    return rows
  } finally {
    progress.stop()
  }
}
