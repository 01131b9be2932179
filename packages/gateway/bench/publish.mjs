import { spawn } from 'node:child_process'
import { cpus } from 'node:os'
import { join } from 'node:path'
import { createGateway, serve } from '@rivulet/twilio'
import { createHub } from 'rivulet'

// Requests a second of a publish, next to those of a handler that does nothing, on the same server in the same
// run, alternating. Build first: npm run build. Then: node packages/gateway/bench/publish.mjs [seconds] [rounds]
const [seconds = 1, rounds = 15] = process.argv.slice(2).map(Number)
const CONNECTIONS = 32
const ACCOUNT = `AC${'1'.repeat(32)}`
const PATH = '/v1/Services/default/Streams/positions/Messages'
const AUTHORIZATION = `Basic ${Buffer.from(`${ACCOUNT}:secret`).toString('base64')}`
const JSON_HEADERS = { 'content-type': 'application/json' }

const hub = createHub({
  streams: { positions: { limit: false }, full: { limit: { ratePerSecond: 0, burst: 1 } } },
})
const gateway = createGateway({ hub, keys: [{ sid: ACCOUNT, secret: 'secret' }] })
const created = () => new Response('{}', { status: 201, headers: JSON_HEADERS })
const emptyGateway = (fetch) => ({
  isOpen: true,
  sockets: [],
  fetch,
  publish: () => undefined,
  close: async () => {},
})
const reading = async (request) => {
  await request.text()
  return created()
}
// What no gateway can leave out, with nothing around it: the most that publish can come to.
const bare = async (request) => {
  atob(request.headers.get('authorization').slice('Basic '.length))
  const text = await request.text()
  const data = JSON.parse(decodeURIComponent(text.slice('Data='.length)))
  const message = hub.stream('positions').publish(data)
  return new Response(JSON.stringify(message), { status: 201, headers: JSON_HEADERS })
}
const gatewayServer = await serve(gateway, { port: 0 })
const emptyServer = await serve(emptyGateway(created), { port: 0 })
const readingServer = await serve(emptyGateway(reading), { port: 0 })
const bareServer = await serve(emptyGateway(bare), { port: 0 })
for (const name of ['positions', 'full']) await create(name)
hub.stream('full').publish({})

const contenders = [
  { name: 'an empty handler', port: emptyServer.port, path: PATH, status: 201, results: [] },
  { name: 'one that reads the body', port: readingServer.port, path: PATH, status: 201, results: [] },
  { name: 'the bare steps of a publish', port: bareServer.port, path: PATH, status: 201, results: [] },
  { name: 'publish', port: gatewayServer.port, path: PATH, status: 201, results: [] },
  {
    name: 'publish, refused by the rate',
    port: gatewayServer.port,
    path: PATH.replace('positions', 'full'),
    status: 429,
    results: [],
  },
]
for (let round = 0; round < rounds; round++) {
  for (const contender of contenders) contender.results.push(await measure(contender))
}
console.log(
  `${cpus().length} × ${cpus()[0].model}, Node ${process.version}, ${CONNECTIONS} connections, ${rounds} × ${seconds} s`,
)
const [{ results: base }] = contenders
for (const { name, results } of contenders) {
  const perSecond = median(results)
  // Of each round by itself: what else the machine does changes from one to the next.
  console.log(
    `${name.padEnd(30)} ${String(perSecond).padStart(7)} requests/s  ${median(results.map((result, round) => result / base[round])).toFixed(2)}×  (${results.join(' ')})`,
  )
}
await Promise.all([gatewayServer, emptyServer, readingServer, bareServer].map((server) => server.close()))
await hub.close()

async function create(name) {
  const response = await fetch(`${gatewayServer.url}/v1/Services/default/Streams`, {
    method: 'POST',
    headers: { authorization: AUTHORIZATION },
    body: new URLSearchParams({ UniqueName: name }),
  })
  if (response.status !== 201) throw new Error(`creating ${name} was answered ${response.status}`)
}

function measure({ port, path, status }) {
  const body = `Data=${encodeURIComponent(JSON.stringify({ truck: 7, lat: 52.1, lon: 4.3, at: '2026-01-01' }))}`
  const head = [
    `POST ${path} HTTP/1.1`,
    'Host: 127.0.0.1',
    `Authorization: ${AUTHORIZATION}`,
    'Content-Type: application/x-www-form-urlencoded',
    `Content-Length: ${body.length}`,
  ]
  const args = [join(import.meta.dirname, 'load.mjs'), port, CONNECTIONS, seconds * 1000, status].map(String)
  const child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] })
  child.stdin.end(`${head.join('\r\n')}\r\n\r\n${body}`)
  return new Promise((resolve, reject) => {
    let text = ''
    child.stdout.on('data', (chunk) => {
      text += chunk
    })
    child.on('close', () => {
      const { perSecond, wrong } = JSON.parse(text)
      if (wrong > 0) reject(new Error(`${wrong} answers were not ${status}`))
      else resolve(perSecond)
    })
  })
}

function median(values) {
  return [...values].sort((one, other) => one - other)[Math.floor(values.length / 2)]
}
