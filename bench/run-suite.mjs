import { describeMachine } from './machine.mjs'
import { paceOf } from './measure.mjs'
import { createProgress } from './report/progress.mjs'
import { writeResult } from './report/results.mjs'
import { printCase, printHeader } from './report/table.mjs'

const [name, settingsText] = process.argv.slice(2)
const settings = JSON.parse(settingsText)
const { suite } = await import(`./suites/${name}.mjs`)

const result = {
  suite: name,
  title: suite.title,
  reading: suite.reading,
  chart: suite.chart,
  date: new Date().toISOString(),
  command: settings.command,
  isQuick: settings.isQuick,
  rounds: settings.rounds,
  machine: describeMachine(),
  cases: [],
}
printHeader(result)
const { cases, notes = () => [], close } = await suite.plan(settings)
const progress = createProgress(name, cases.length)
try {
  for (const each of cases) {
    progress.start(each.name)
    const { measure, ...description } = each
    const rows = await measure(paceOf(settings), (share) => progress.advance(share))
    progress.pause()
    result.cases.push({ ...description, rows })
    printCase(result.cases.at(-1))
  }
} finally {
  progress.stop()
  await close?.()
}
result.notes = notes()
for (const note of result.notes) console.log(`\n${note}`)
writeResult(settings.out, result)
// A rival's client may leave a timer or a socket behind; the work is done.
process.exit(0)
