import { createHmac } from 'node:crypto'
import { cpus } from 'node:os'
import { createGateway, serve } from '@rivulet/twilio'
import { createHub } from 'rivulet'
import { connectMany, load, publishFor, totalsOf } from './steady.mjs'

// 2 000 connections that do on the wire what Twilio's client SDK does, on 10 streams at 10 messages a second each.
// Build first: npm run build. Then: node packages/gateway/bench/twilsock.mjs [seconds] [connections]
const [seconds = 60, connections = 2000] = process.argv.slice(2).map(Number)
const STREAMS = 10
const PER_SECOND = 10
const ACCOUNT = `AC${'1'.repeat(32)}`
const KEY = { sid: `SK${'2'.repeat(32)}`, secret: 'a secret of an API key that has 32 characters' }
const SERVICE = `IS${'0'.repeat(32)}`

const hub = createHub()
const gateway = createGateway({ hub, keys: [{ sid: ACCOUNT, secret: 'secret' }, KEY] })
const server = await serve(gateway, { port: 0 })
const streams = Array.from({ length: STREAMS }, (_, index) => hub.stream(`s${index}`))
for (const { name } of streams) await create(name)
console.log(`${cpus().length} × ${cpus()[0].model}, Node ${process.version}`)

const clients = await connectMany(connections, (count) => {
  const tokens = Array.from({ length: count }, (_, index) => tokenFor(`user-${index}`))
  return load('twilsock-load.mjs', { url: server.url, tokens, names: streams.map(({ name }) => name) })
})
console.log(`a connection costs ${clients.cost}`)

const run = await publishFor(seconds, PER_SECOND, (n) => {
  for (const stream of streams) stream.publish({ n })
})
const { received, lost, twice } = await totalsOf(clients.many)
const expected = run.ticks * connections
console.log(
  `${connections} connections, ${STREAMS} streams, ${PER_SECOND}/s each, ${seconds} s: ${received} of ${expected} received, ${lost} lost, ${twice} twice, ${gateway.counts.dropped} dropped`,
)
console.log(run.words)
for (const child of [clients.one, clients.many]) child.send('stop')
await server.close({ timeoutMs: 1000 })
await hub.close()
if (received !== expected || lost + twice > 0) throw new Error('Messages were lost or came twice.')

async function create(name) {
  const authorization = `Basic ${Buffer.from(`${ACCOUNT}:secret`).toString('base64')}`
  const url = `${server.url}/v1/Services/default/Streams`
  const body = new URLSearchParams({ UniqueName: name })
  await fetch(url, { method: 'POST', headers: { authorization }, body })
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
