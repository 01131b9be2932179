import { parseOptions } from './options.mjs'
import { prepare } from './prepare.mjs'

// What is started kills what it has started on 'exit', which a signal alone does not raise.
for (const [signal, code] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
])
  process.once(signal, () => process.exit(code))

// Reading the options needs only what the root has installed, so that `--help` and mistakes answer at once.
const settings = parseOptions(process.argv.slice(2))
prepare(settings.isJson)
const { runSuites } = await import('./run-suites.mjs')
process.exitCode = (await runSuites(settings)) ? 0 : 1
