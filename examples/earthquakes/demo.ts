import { parseOptions } from './options.ts'
import { runDemo } from './run-demo.ts'

const INTERRUPTED = 130

const options = parseOptions(process.argv.slice(2))
const stop = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort())
// `head` and the like leave when they have enough; then there is nobody to print for.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error
  stop.abort()
})

try {
  process.exitCode = (await runDemo(options, stop.signal)) ? 0 : 1
} catch (error) {
  if (stop.signal.aborted) {
    console.log('Stopped: every hub is closed.')
    process.exitCode = INTERRUPTED
  } else {
    // One sentence: no broker there, or none installed.
    console.error(error instanceof Error ? error.message : error)
    process.exitCode = 1
  }
}
