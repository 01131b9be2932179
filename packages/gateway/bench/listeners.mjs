import { once } from 'node:events'
import { cpus } from 'node:os'
import { createGateway, serve } from '@rivulet/twilio'
import { createHub } from 'rivulet'
import { load, publishFor, totalsOf } from './steady.mjs'

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
  const readers = await listen(server, listeners, names)
  const calm = await publish()
  const before = await totalsOf(readers)
  const expected = calm.ticks * listeners
  console.log(
    `${listeners} listeners, ${STREAMS} streams, ${PER_SECOND}/s each, ${seconds} s: ${before.received} of ${expected} received, ${before.lost} lost, ${before.twice} twice`,
  )
  console.log(calm.words)

  // On a stream of their own, beside readers: messages so long that what the kernel holds for a connection fills soon.
  const WIDE_READERS = 5
  const wide = hub.stream('wide', { maxBytes: 65_536 })
  await create(gateway, 'wide')
  const stalled = await listen(server, STALLED, ['wide'])
  const wideReaders = await listen(server, WIDE_READERS, ['wide'])
  stalled.send('pause')
  const busy = await publish(wide)
  const [after, wideAfter] = await Promise.all([totalsOf(readers), totalsOf(wideReaders)])
  const received = after.received - before.received
  console.log(
    `${STALLED} that stop reading: the others received ${received} of ${busy.ticks * listeners}, ${after.lost - before.lost} lost, ${after.twice - before.twice} twice; those on the same stream ${wideAfter.received} of ${busy.ticks * WIDE_READERS}, ${wideAfter.lost} lost`,
  )
  console.log(`the gateway dropped ${gateway.counts.dropped} for those that stopped; ${busy.words}`)
  for (const child of [readers, stalled, wideReaders]) child.send('stop')
  await server.close({ timeoutMs: 1000 })
}

/** Cuts the connections of listeners, then restarts the server, and measures until all are listening again. */
async function storm() {
  let { server } = await open()
  const child = await listen(server, returning, names)
  const cutMs = await timed(child, () => child.send('cut'))
  await server.close({ timeoutMs: 1000 })
  const restartMs = await timed(child, async () => {
    ;({ server } = await open({ port: server.port }))
  })
  for (const stream of streams) stream.publish({ n: ++number })
  const { received } = await totalsOf(child)
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

async function open(serving = {}, limits = {}) {
  const gateway = createGateway({ hub, keys, limits: { listeners: { maxPerKey: 10_000, ...limits } } })
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

function listen(server, count, names) {
  return load('listen-load.mjs', { port: server.port, count, names, authorization: AUTHORIZATION })
}

function publish(wide) {
  return publishFor(seconds, PER_SECOND, () => {
    number++
    for (const stream of streams) stream.publish({ n: number })
    wide?.publish({ n: number, filling: FILLING })
  })
}
