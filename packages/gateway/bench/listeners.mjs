import { fork } from 'node:child_process'
import { once } from 'node:events'
import { cpus } from 'node:os'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { createGateway, serve } from '@rivulet/gateway'
import { createHub } from 'rivulet'

// 1 000 listeners on 10 streams at 30 messages a second each; then 200 more that stop reading; then 2 000 that come
// back at once. Build first: npm run build. Then: node packages/gateway/bench/listeners.mjs [seconds] [listeners] [returning]
// With 0 seconds only the last part runs.
const [seconds = 60, listeners = 1000, returning = 2000] = process.argv.slice(2).map(Number)
const STREAMS = 10
const STALLED = 200
const PER_SECOND = 30
const ACCOUNT = `AC${'1'.repeat(32)}`
const AUTHORIZATION = `Basic ${Buffer.from(`${ACCOUNT}:secret`).toString('base64')}`

const FILLING = 'x'.repeat(60_000)
let number = 0

const hub = createHub({ streamDefaults: { limit: { ratePerSecond: 60, burst: 60 } } })
const names = Array.from({ length: STREAMS }, (_, index) => `s${index}`)
const streams = names.map((name) => hub.stream(name))
const keys = [{ sid: ACCOUNT, secret: 'secret' }]
console.log(`${cpus().length} × ${cpus()[0].model}, Node ${process.version}`)

if (seconds > 0) await steady()
await storm()
await hub.close()

async function steady() {
  // Those that stop reading are to stay, to show what they cost.
  const { gateway, server } = await open({ writeStallMs: 3_600_000 }, { stallMs: 3_600_000 })
  const readers = await load(server, listeners, names)
  const calm = await publishFor(seconds)
  const before = await report(readers)
  const expected = calm.published * (listeners / STREAMS)
  console.log(
    `${listeners} listeners, ${STREAMS} streams, ${PER_SECOND}/s each, ${seconds} s: ${before.received} of ${expected} received, ${before.lost} lost, ${before.twice} twice`,
  )
  console.log(
    `resident MiB every ${calm.everySeconds} s: ${calm.residentMiB.join(' ')}; event loop delay p99 ${calm.p99Ms} ms`,
  )

  // On a stream of their own, beside readers: messages so long that what the kernel holds for a connection fills soon.
  const WIDE_READERS = 5
  const wide = hub.stream('wide', { maxBytes: 65_536 })
  await create(gateway, 'wide')
  const stalled = await load(server, STALLED, ['wide'])
  const wideReaders = await load(server, WIDE_READERS, ['wide'])
  stalled.send('pause')
  const busy = await publishFor(seconds, wide)
  const [after, wideAfter] = await Promise.all([report(readers), report(wideReaders)])
  const received = after.received - before.received
  console.log(
    `${STALLED} that stop reading: the others received ${received} of ${busy.published * (listeners / STREAMS)}, ${after.lost - before.lost} lost, ${after.twice - before.twice} twice; those on the same stream ${wideAfter.received} of ${(busy.published / STREAMS) * WIDE_READERS}, ${wideAfter.lost} lost`,
  )
  console.log(
    `the gateway dropped ${gateway.counts.dropped} for those that stopped; resident MiB every ${busy.everySeconds} s: ${busy.residentMiB.join(' ')}; event loop delay p99 ${busy.p99Ms} ms`,
  )
  for (const child of [readers, stalled, wideReaders]) child.send('stop')
  await server.close({ timeoutMs: 1000 })
}

/** Cuts the connections of listeners, then restarts the server, and measures until all are listening again. */
async function storm() {
  let { server } = await open()
  const child = await load(server, returning, names)
  const cutMs = await timed(child, () => child.send('cut'))
  await server.close({ timeoutMs: 1000 })
  const restartMs = await timed(child, async () => {
    ;({ server } = await open({ port: server.port }))
  })
  for (const stream of streams) stream.publish({ n: ++number })
  const { received } = await report(child)
  console.log(
    `${returning} listeners at once: all are back ${cutMs} ms after a cut, ${restartMs} ms after a restart; ${received} of ${returning} then received a message`,
  )
  child.send('stop')
  await server.close({ timeoutMs: 1000 })
}

async function timed(child, act) {
  const startMs = performance.now()
  const [[told]] = await Promise.all([once(child, 'message'), act()])
  if (told !== 'listening') throw new Error(`Expected that all listen, not ${JSON.stringify(told)}.`)
  return Math.round(performance.now() - startMs)
}

async function open(serving = {}, options = {}) {
  const gateway = createGateway({ hub, keys, maxListenersPerKey: 10_000, ...options })
  for (const name of names) await create(gateway, name)
  return { gateway, server: await serve(gateway, { port: 0, ...serving }) }
}

async function create(gateway, name) {
  const response = await gateway.fetch(
    new Request('http://localhost/v1/Services/default/Streams', {
      method: 'POST',
      headers: { authorization: AUTHORIZATION },
      body: new URLSearchParams({ UniqueName: name }),
    }),
  )
  if (response.status !== 201) throw new Error(`Creating ${name} was answered ${response.status}.`)
}

async function load(server, count, names) {
  const child = fork(
    join(import.meta.dirname, 'listen-load.mjs'),
    [server.port, count, names, AUTHORIZATION].map(String),
  )
  await once(child, 'message')
  return child
}

async function report(child) {
  // What is on its way still arrives.
  await new Promise((resolve) => setTimeout(resolve, 1000))
  child.send('report')
  const [totals] = await once(child, 'message')
  return totals
}

async function publishFor(forSeconds, wide) {
  const everySeconds = Math.max(1, Math.round(forSeconds / 6))
  const residentMiB = []
  const delay = monitorEventLoopDelay({ resolution: 10 })
  delay.enable()
  const startMs = performance.now()
  let ticks = 0
  while (ticks < forSeconds * PER_SECOND) {
    await new Promise((resolve) =>
      setTimeout(resolve, Math.max(0, startMs + (ticks * 1000) / PER_SECOND - performance.now())),
    )
    number++
    for (const stream of streams) stream.publish({ n: number })
    wide?.publish({ n: number, filling: FILLING })
    if (ticks++ % (everySeconds * PER_SECOND) === 0)
      residentMiB.push(Math.round(process.memoryUsage.rss() / 2 ** 20))
  }
  delay.disable()
  return {
    published: ticks * STREAMS,
    residentMiB,
    everySeconds,
    p99Ms: Math.round(delay.percentile(99) / 1e6),
  }
}
