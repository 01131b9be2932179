// Run as a process of its own with `--expose-gc`: a server that handles every request in a store of its own, as frameworks
// do, with a gateway in it. Prints which stores are still there when their requests have ended, while others go on.
import { AsyncLocalStorage } from 'node:async_hooks'
import { once } from 'node:events'
import { createServer, type IncomingMessage, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { memoryBus } from '@rivulet/memory'
import { attachWebSockets, createGateway, relay, toNodeHandler } from '@rivulet/twilio'
import { createHub } from 'rivulet'
import { WebSocket } from 'ws'
import { namesOfKept, type RequestStore } from '../../../../test/support/kept-stores.ts'

const KEY = { sid: `SK${'b'.repeat(32)}`, secret: 'a secret of more than 32 characters' }
const STREAMS = '/sync/v1/Services/default/Streams'

const requests = new AsyncLocalStorage<RequestStore>()
const stores: WeakRef<RequestStore>[] = []

const bridge = relay(memoryBus().transport())
const hub = createHub({ transport: bridge })
const gateway = createGateway({
  hub,
  keys: [KEY],
  relay: bridge,
  limits: { listeners: { heartbeatMs: 10 } },
  basePath: '/sync',
})
const server = createServer(toNodeHandler(gateway))
await attachWebSockets(server, gateway)
inRequests()
server.listen(0, '127.0.0.1')
await once(server, 'listening')
await hub.ready()
const { port } = server.address() as AddressInfo

await ask('create', 'POST', STREAMS, 'UniqueName=orders&Ttl=3600')
await listenInTurn()
await connectInTurn('page', '/sync/rivulet')
await connectInTurn('sdk', '/sync/v3/wsconnect')
await ask('publish', 'POST', `${STREAMS}/orders/Messages`, `Data=${encodeURIComponent('{"n":1}')}`)
console.log(`kept ${JSON.stringify(await namesOfKept(stores, (name) => name.startsWith('second')))}`)
process.exit(0)

/** Runs whatever a request causes in a store, named by a header of the request. */
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

async function ask(name: string, method: string, path: string, body: string): Promise<void> {
  const answer = await send(name, method, path, {}, body)
  const told = await text(answer)
  if (answer.statusCode !== 201) throw new Error(`${name} was answered ${answer.statusCode}: ${told}`)
}

/** Listens twice, and ends the first, whose request has set up what both share. */
async function listenInTurn(): Promise<void> {
  const first = await listen('first listener')
  await listen('second listener')
  first.destroy()
}

async function listen(name: string): Promise<IncomingMessage> {
  const answer = await send(name, 'GET', `${STREAMS}/orders/Messages`, { accept: 'text/event-stream' })
  if (answer.statusCode !== 200) throw new Error(`${name} was answered ${answer.statusCode}`)
  return answer.resume()
}

/** On a connection of its own: Node sets the timer of one that is kept alive in the context of its first request. */
async function send(
  name: string,
  method: string,
  path: string,
  more: object,
  body = '',
): Promise<IncomingMessage> {
  const headers = {
    'x-name': name,
    authorization: `Basic ${Buffer.from(`${KEY.sid}:${KEY.secret}`).toString('base64')}`,
    'content-type': 'application/x-www-form-urlencoded',
    ...more,
  }
  const sent = request({ host: '127.0.0.1', port, method, path, headers, agent: false })
  sent.end(body)
  const [answer] = (await once(sent, 'response')) as [IncomingMessage]
  return answer
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
