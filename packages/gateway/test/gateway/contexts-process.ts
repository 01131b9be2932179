// Run as a process of its own with `--expose-gc`: a server that handles every request in a store of its own, as frameworks
// do, with a gateway in it. Prints the stores of which something is still there when the requests have ended, while
// other requests go on.
import { AsyncLocalStorage } from 'node:async_hooks'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { attachWebSockets, createGateway, relay, toNodeHandler } from '@rivulet/gateway'
import { memoryBus } from '@rivulet/memory'
import { createHub } from 'rivulet'
import { WebSocket } from 'ws'

interface Request {
  readonly name: string
}

const requests = new AsyncLocalStorage<Request>()
const stores: WeakRef<Request>[] = []

const bridge = relay(memoryBus().transport())
const hub = createHub({ transport: bridge })
const keys = [{ sid: `SK${'b'.repeat(32)}`, secret: 'a secret of more than 32 characters' }]
const gateway = createGateway({ hub, keys, relay: bridge, heartbeatMs: 10, basePath: '/sync' })
const server = createServer(toNodeHandler(gateway))
await attachWebSockets(server, gateway)
inRequests()
server.listen(0, '127.0.0.1')
await once(server, 'listening')
await hub.ready()
const { port } = server.address() as AddressInfo
const streams = `http://127.0.0.1:${port}/sync/v1/Services/default/Streams`

await ask('create', 'POST', streams, 'UniqueName=orders&Ttl=3600')
await listenInTurn()
await connectInTurn('page', '/sync/rivulet')
await connectInTurn('sdk', '/sync/v3/wsconnect')
await ask('publish', 'POST', `${streams}/orders/Messages`, `Data=${encodeURIComponent('{"n":1}')}`)
console.log(`kept ${JSON.stringify(await keptStores())}`)
process.exit(0)

/** Runs whatever a request causes in a store, named by the header or the query that names the request. */
function inRequests(): void {
  const emit = server.emit.bind(server) as (event: string, ...args: unknown[]) => boolean
  server.emit = (event: string, ...args: unknown[]) => {
    if (event !== 'request' && event !== 'upgrade') return emit(event, ...args)
    const { headers } = args[0] as { readonly headers: Readonly<Record<string, string>> }
    const store = { name: headers['x-name'] ?? 'nameless' }
    stores.push(new WeakRef(store))
    return requests.run(store, () => emit(event, ...args))
  }
}

async function ask(name: string, method: string, url: string, body: string): Promise<void> {
  const response = await fetch(url, { method, headers: headersOf(name), body })
  const text = await response.text()
  if (!response.ok) throw new Error(`${name} was answered ${response.status}: ${text}`)
}

function headersOf(name: string): Record<string, string> {
  const [key] = keys
  return {
    'x-name': name,
    authorization: `Basic ${Buffer.from(`${key?.sid}:${key?.secret}`).toString('base64')}`,
    'content-type': 'application/x-www-form-urlencoded',
  }
}

/** Listens twice, and ends the first, whose request has set up what both share. */
async function listenInTurn(): Promise<void> {
  const abort = new AbortController()
  await listen('first listener', abort.signal)
  await listen('second listener', undefined)
  abort.abort()
}

async function listen(name: string, signal: AbortSignal | undefined): Promise<void> {
  const headers = { ...headersOf(name), accept: 'text/event-stream' }
  const response = await fetch(`${streams}/orders/Messages`, { headers, ...(signal && { signal }) })
  if (response.status !== 200) throw new Error(`${name} was answered ${response.status}`)
}

async function connectInTurn(kind: string, path: string): Promise<void> {
  const first = await connect(`first ${kind}`, path)
  await connect(`second ${kind}`, path)
  first.close()
  await once(first, 'close')
}

async function connect(name: string, path: string): Promise<WebSocket> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}${path}`, ['rivulet.1'], {
    headers: { 'x-name': name },
  })
  await once(socket, 'open')
  return socket
}

/** Gives the names of the stores that are still there, once no more of them go, which takes some turns. */
async function keptStores(): Promise<string[]> {
  let kept: string[] = []
  for (let looks = 0; looks < 100; looks++) {
    await sleep(20) // what was looked at stays until the turn ends
    globalThis.gc?.()
    kept = stores.map((store) => store.deref()?.name).filter((name) => name !== undefined)
    if (kept.every((name) => name.startsWith('second'))) break
  }
  return kept
}
