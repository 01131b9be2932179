import { once } from 'node:events'
import { describeMachine, describeVersions } from './machine.mjs'
import { paceOf } from './measure.mjs'

// Runs one suite for `run-suites.mjs`. It reports after each round, after each case and at the end, and then waits for
// its next turn: meanwhile another process may measure the same case.
const [name, settingsText] = process.argv.slice(2)
const settings = JSON.parse(settingsText)
process.once('disconnect', () => process.exit(1))

const { suite } = await import(`./suites/${name}.mjs`)
const { plan, ...about } = suite
const { cases, notes = () => [], close } = await plan(settings)
try {
  const described = cases.map(({ measure, ...description }) => description)
  await report({ about, cases: described, machine: describeMachine(), versions: describeVersions() })
  for (const { measure } of cases) {
    await report({ rows: await measure(paceOf(settings), (share) => report({ share })) })
  }
} finally {
  await close?.()
}
// Exits here, since a rival's client may leave a timer or a socket behind.
process.send({ notes: notes() }, () => process.exit(0))

async function report(event) {
  process.send(event)
  await once(process, 'message')
}
