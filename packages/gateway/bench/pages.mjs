import { once } from 'node:events'
import { cpus } from 'node:os'
import { createGateway, relay, serve } from '@rivulet/twilio'
import { createHub } from 'rivulet'
import { connectMany, load, publishFor, totalsOf } from './steady.mjs'

// 1 000 connections that do on the wire what a page's hub does, on 10 streams at 10 messages a second each; every
// hundredth connection publishes once a second, too.
// Build first: npm run build. Then: node packages/gateway/bench/pages.mjs [seconds] [connections]
const [seconds = 60, connections = 1000] = process.argv.slice(2).map(Number)
const STREAMS = 10
const PER_SECOND = 10

const carried = relay()
const hub = createHub({ transport: carried })
const options = { limits: { pages: { maxPerKey: connections + 1, maxPerIdentity: connections + 1 } } }
const gateway = createGateway({ hub, relay: carried, open: true, ...options })
const server = await serve(gateway, { port: 0 })
const names = Array.from({ length: STREAMS }, (_, index) => `s${index}`)
const streams = names.map((name) => hub.stream(name))
// What pages publish, the hub hears, too.
let heardByHub = 0
for (const stream of streams) await stream.subscribe(({ isLocal }) => isLocal || heardByHub++).ready
console.log(`${cpus().length} × ${cpus()[0].model}, Node ${process.version}`)

const pages = await connectMany(connections, (count) =>
  load('pages-load.mjs', { url: server.url, count, names }),
)
console.log(`a page costs ${pages.cost}`)

pages.many.send('publish')
const run = await publishFor(seconds, PER_SECOND, (n) => {
  for (const stream of streams) stream.publish({ n })
})
pages.many.send('settle')
await once(pages.many, 'message')
const { received, lost, twice, published } = await totalsOf(pages.many)
// Each page hears its stream's messages of the hub, and those of the pages that publish on it, but its own.
const expected = run.ticks * connections + published.heardByOthers
const { dropped, refused } = gateway.counts
console.log(
  `${connections} pages, ${STREAMS} streams, ${PER_SECOND}/s each and ${published.messages} of pages, ${seconds} s: ${received} of ${expected} received, ${Math.round(received / run.seconds)}/s, ${lost} lost, ${twice} twice, ${dropped} dropped, ${refused} refused`,
)
console.log(run.words)
for (const child of [pages.one, pages.many]) child.send('stop')
await server.close({ timeoutMs: 1000 })
await hub.close()
const isRight =
  received === expected && heardByHub === published.messages && lost + twice + dropped + refused === 0
if (!isRight) throw new Error(`Messages were lost or came twice; the hub heard ${heardByHub}.`)
