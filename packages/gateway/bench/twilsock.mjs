import { fork } from 'node:child_process'
import { createHmac } from 'node:crypto'
import { once } from 'node:events'
import { cpus } from 'node:os'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { createGateway, serve } from '@rivulet/gateway'
import { createHub } from 'rivulet'

// 2 000 connections that do on the wire what Twilio's client SDK does, on 10 streams at 10 messages a second each.
// Build first: npm run build. Then: node packages/gateway/bench/twilsock.mjs [seconds] [connections]
const [seconds = 60, connections = 2000] = process.argv.slice(2).map(Number)
const STREAMS = 10
const PER_SECOND = 10
const ACCOUNT = `AC${'1'.repeat(32)}`
const KEY = { sid: `SK${'2'.repeat(32)}`, secret: 'a secret of an API key that has 32 characters' }
const SERVICE = `IS${'0'.repeat(32)}`

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc')

const hub = createHub()
const gateway = createGateway({ hub, keys: [{ sid: ACCOUNT, secret: 'secret' }, KEY] })
const server = await serve(gateway, { port: 0 })
const streams = Array.from({ length: STREAMS }, (_, index) => hub.stream(`s${index}`))
for (const { name } of streams) await create(name)
console.log(`${cpus().length} × ${cpus()[0].model}, Node ${process.version}`)

// A first connection has what is loaded once loaded.
const one = await load(1)
const before = memory()
const clients = await load(connections)
const after = memory()
const each = (name) => Math.round((after[name] - before[name]) / connections)
console.log(
  `a connection costs ${each('rss')} bytes of resident memory, of which ${each('used')} are used by JavaScript`,
)

const run = await publishFor(seconds)
const { received, lost, twice } = await report(clients)
const expected = (run.published / STREAMS) * connections
console.log(
  `${connections} connections, ${STREAMS} streams, ${PER_SECOND}/s each, ${seconds} s: ${received} of ${expected} received, ${lost} lost, ${twice} twice, ${gateway.counts.dropped} dropped`,
)
console.log(
  `resident MiB every ${run.everySeconds} s: ${run.residentMiB.join(' ')}; event loop delay p99 ${run.p99Ms} ms; processor ${run.percent} % of one core`,
)
for (const child of [one, clients]) child.send('stop')
await server.close({ timeoutMs: 1000 })
await hub.close()
if (received !== expected || lost + twice > 0) throw new Error('Messages were lost or came twice.')

async function create(name) {
  const authorization = `Basic ${Buffer.from(`${ACCOUNT}:secret`).toString('base64')}`
  const url = `${server.url}/v1/Services/default/Streams`
  const body = new URLSearchParams({ UniqueName: name })
  await fetch(url, { method: 'POST', headers: { authorization }, body })
}

async function load(count) {
  const child = fork(join(import.meta.dirname, 'twilsock-load.mjs'))
  const tokens = Array.from({ length: count }, (_, index) => tokenFor(`user-${index}`))
  child.send({ url: server.url, tokens, names: streams.map(({ name }) => name) })
  await once(child, 'message')
  return child
}

function tokenFor(identity) {
  const encode = (value) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const iat = Math.floor(Date.now() / 1000)
  const grants = { identity, data_sync: { service_sid: SERVICE } }
  const head = encode({ cty: 'twilio-fpa;v=1', typ: 'JWT', alg: 'HS256' })
  const body = encode({ jti: `${KEY.sid}-${iat}`, iss: KEY.sid, sub: ACCOUNT, iat, exp: iat + 3600, grants })
  const signature = createHmac('sha256', KEY.secret).update(`${head}.${body}`).digest('base64url')
  return `${head}.${body}.${signature}`
}

function memory() {
  collectGarbage()
  const { rss, heapUsed, external } = process.memoryUsage()
  return { rss, used: heapUsed + external }
}

async function report(child) {
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
  const percent = Math.round((user + system) / 10 / (performance.now() - startMs))
  const p99Ms = Math.round(delay.percentile(99) / 1e6)
  return { published: ticks * STREAMS, residentMiB, everySeconds, percent, p99Ms }
}
