import { fork } from 'node:child_process'
import { once } from 'node:events'
import { cpus } from 'node:os'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { createGateway, relay, serve } from '@rivulet/gateway'
import { createHub } from 'rivulet'

// 1 000 connections that do on the wire what a page's hub does, on 10 streams at 10 messages a second each; every
// hundredth connection publishes once a second, too.
// Build first: npm run build. Then: node packages/gateway/bench/pages.mjs [seconds] [connections]
const [seconds = 60, connections = 1000] = process.argv.slice(2).map(Number)
const STREAMS = 10
const PER_SECOND = 10

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc')

const carried = relay()
const hub = createHub({ transport: carried })
const options = { maxListenersPerKey: connections + 1, maxConnectionsPerIdentity: connections + 1 }
const gateway = createGateway({ hub, relay: carried, open: true, ...options })
const server = await serve(gateway, { port: 0 })
const names = Array.from({ length: STREAMS }, (_, index) => `s${index}`)
const streams = names.map((name) => hub.stream(name))
// What pages publish, the hub hears, too.
let heardByHub = 0
for (const stream of streams) await stream.subscribe(({ isLocal }) => isLocal || heardByHub++).ready
console.log(`${cpus().length} × ${cpus()[0].model}, Node ${process.version}`)

// A first connection has what is loaded once loaded.
const one = await load(1)
const before = memory()
const pages = await load(connections)
const after = memory()
const each = (name) => Math.round((after[name] - before[name]) / connections)
console.log(
  `a page costs ${each('rss')} bytes of resident memory, of which ${each('used')} are used by JavaScript`,
)

pages.send('publish')
const run = await publishFor(seconds)
const { received, lost, twice, published } = await report(pages)
// Each page hears its stream's messages of the hub, and those of the pages that publish on it, but its own.
const expected = (run.published / STREAMS) * connections + published.heardByOthers
const { dropped, refused } = gateway.counts
console.log(
  `${connections} pages, ${STREAMS} streams, ${PER_SECOND}/s each and ${published.messages} of pages, ${seconds} s: ${received} of ${expected} received, ${Math.round(received / run.seconds)}/s, ${lost} lost, ${twice} twice, ${dropped} dropped, ${refused} refused`,
)
console.log(
  `resident MiB every ${run.everySeconds} s: ${run.residentMiB.join(' ')}; event loop delay p99 ${run.p99Ms} ms; processor ${run.percent} % of one core`,
)
for (const child of [one, pages]) child.send('stop')
await server.close({ timeoutMs: 1000 })
await hub.close()
const isRight =
  received === expected && heardByHub === published.messages && lost + twice + dropped + refused === 0
if (!isRight) throw new Error(`Messages were lost or came twice; the hub heard ${heardByHub}.`)

async function load(count) {
  const child = fork(join(import.meta.dirname, 'pages-load.mjs'))
  child.send({ url: server.url, count, names })
  await once(child, 'message')
  return child
}

function memory() {
  collectGarbage()
  const { rss, heapUsed, external } = process.memoryUsage()
  return { rss, used: heapUsed + external }
}

async function report(child) {
  child.send('settle')
  await once(child, 'message')
  // What is on its way still arrives.
  await new Promise((resolve) => setTimeout(resolve, 1000))
  child.send('report')
  const [totals] = await once(child, 'message')
  return totals
}

async function publishFor(forSeconds) {
  const everySeconds = Math.max(1, Math.round(forSeconds / 6))
  const residentMiB = []
  const delay = monitorEventLoopDelay({ resolution: 10 })
  delay.enable()
  const startMs = performance.now()
  const startCpu = process.cpuUsage()
  let ticks = 0
  while (ticks < forSeconds * PER_SECOND) {
    const dueMs = startMs + (ticks * 1000) / PER_SECOND
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, dueMs - performance.now())))
    for (const stream of streams) stream.publish({ n: ticks })
    if (ticks++ % (everySeconds * PER_SECOND) === 0) {
      residentMiB.push(Math.round(process.memoryUsage.rss() / 2 ** 20))
    }
  }
  delay.disable()
  const { user, system } = process.cpuUsage(startCpu)
  const tookMs = performance.now() - startMs
  const percent = Math.round((user + system) / 10 / tookMs)
  const p99Ms = Math.round(delay.percentile(99) / 1e6)
  return { published: ticks * STREAMS, seconds: tookMs / 1000, residentMiB, everySeconds, percent, p99Ms }
}
