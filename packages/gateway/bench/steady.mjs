import { fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

// What the benches of many connections have in common: those run in processes of their own, while this one publishes
// at a steady rate and looks at itself.

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc')

/** Starts a program of this folder, gives it an order, and resolves when it has answered. */
export async function load(program, order) {
  const child = fork(join(import.meta.dirname, program))
  child.send(order)
  await once(child, 'message')
  return child
}

/** Makes one connection and then so many, and gives the processes that have them and what each of the many costs. */
export async function connectMany(connections, connect) {
  // The first has what is loaded once loaded.
  const one = await connect(1)
  const before = memory()
  const many = await connect(connections)
  const after = memory()
  const each = (name) => Math.round((after[name] - before[name]) / connections)
  const cost = `${each('rss')} bytes of resident memory, of which ${each('used')} are used by JavaScript`
  return { one, many, cost }
}

function memory() {
  collectGarbage()
  const { rss, heapUsed, external } = process.memoryUsage()
  return { rss, used: heapUsed + external }
}

/** Gives what the process of connections has counted. */
export async function totalsOf(child) {
  // What is on its way still arrives.
  await new Promise((resolve) => setTimeout(resolve, 1000))
  child.send('report')
  const [totals] = await once(child, 'message')
  return totals
}

/** Publishes so many times a second for so long, and gives what this process took for it, also in words. */
export async function publishFor(seconds, perSecond, publish) {
  const everySeconds = Math.max(1, Math.round(seconds / 6))
  const residentMiB = []
  const delay = monitorEventLoopDelay({ resolution: 10 })
  delay.enable()
  const startMs = performance.now()
  const startCpu = process.cpuUsage()
  let ticks = 0
  while (ticks < seconds * perSecond) {
    const dueMs = startMs + (ticks * 1000) / perSecond
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, dueMs - performance.now())))
    publish(ticks)
    if (ticks++ % (everySeconds * perSecond) === 0) {
      residentMiB.push(Math.round(process.memoryUsage.rss() / 2 ** 20))
    }
  }
  delay.disable()
  const { user, system } = process.cpuUsage(startCpu)
  const tookMs = performance.now() - startMs
  const percent = Math.round((user + system) / 10 / tookMs)
  const p99Ms = Math.round(delay.percentile(99) / 1e6)
  const words = [
    `resident MiB every ${everySeconds} s: ${residentMiB.join(' ')}`,
    `event loop delay p99 ${p99Ms} ms`,
    `processor ${percent} % of one core`,
  ]
  return { ticks, seconds: tookMs / 1000, words: words.join('; ') }
}
