import { parseOptions } from './options.mjs'
import { prepare } from './prepare.mjs'

// Started processes kill their own children on 'exit', which a signal alone does not raise.
for (const [signal, code] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
])
  process.once(signal, () => process.exit(code))

// Reading the options needs only the root's packages, so that `--help` and mistakes are answered at once.
const settings = parseOptions(process.argv.slice(2))
prepare(settings.isJson)
const { runSuites } = await import('./run-suites.mjs')
process.exitCode = (await runSuites(settings)) ? 0 : 1
