import { parseOptions } from './options.mjs'
import { prepare } from './prepare.mjs'

// Reading the options needs only what the root has installed, so that `--help` and mistakes answer at once.
const settings = parseOptions(process.argv.slice(2))
prepare(settings.isJson)
const { runSuites } = await import('./run-suites.mjs')
process.exitCode = (await runSuites(settings)) ? 0 : 1
