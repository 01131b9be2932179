import { fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'

const PROGRAM = join(import.meta.dirname, 'run-suite.mjs')
const NODE_OPTIONS = {
  memory: ['--expose-gc'],
  // A million streams and their rivals exist at the same time.
  streams: ['--max-old-space-size=12288'],
}

/**
 * Starts a suite in its own process, so that no suite affects the compiled code of the next one; the rivals of one
 * suite share that process. It measures only while `next` is pending.
 * @param {{ node?: string, checkout?: string }} column the Node to run, and the Rivulet to measure
 */
export function startSuite(name, settings, { node = process.execPath, checkout }) {
  const child = fork(PROGRAM, [name, JSON.stringify(settings)], {
    execPath: node,
    execArgv: NODE_OPTIONS[name] ?? [],
    env: { ...process.env, ...(checkout && { RIVULET_CHECKOUT: checkout }) },
    stdio: ['ignore', process.stderr, 'inherit', 'ipc'],
  })
  const kill = () => child.kill()
  process.once('exit', kill)
  const gone = once(child, 'exit').then(() => {
    process.off('exit', kill)
    throw new Error(`The suite ${name} failed.`)
  })
  gone.catch(() => {}) // unhandled at the end
  const heard = () => Promise.race([once(child, 'message').then(([event]) => event), gone])
  return {
    planned: heard(),
    next() {
      const event = heard()
      child.send('go on')
      return event
    },
    end: kill,
  }
}
