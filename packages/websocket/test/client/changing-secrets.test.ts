import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import type { IncomingMessage } from 'node:http'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { mqtt } from '@rivulet/mqtt'
import { onTestFinished, test } from 'vitest'
import { WebSocket, WebSocketServer } from 'ws'
import { mosquittoPasswords, startMosquitto } from '../../../../test/support/brokers.ts'
import { Authority, type Certificate } from '../../../../test/support/certificates.ts'
import { ending, eventually, makeLive } from '../../../../test/support/live.ts'
import { HUB, serve } from '../../../gateway/test/support/scene.ts'
import { encodeText, KIND } from '../../src/base/protocol.ts'
import { websocket } from '../../src/index.ts'

const WELCOME = encodeText(
  KIND.welcome,
  JSON.stringify({ version: 1, maxFrameBytes: 5_000, ordered: true, prefixes: ['0123456789ab'] }),
)

/** Serves pages over TLS, to those that the proxy in front of it would let through. */
async function serveBehindProxy(certificate: Certificate, admits: (request: IncomingMessage) => boolean) {
  const server = createServer({ cert: certificate.cert, key: certificate.key })
  const sockets = new WebSocketServer({
    server,
    verifyClient: ({ req }: { req: IncomingMessage }) => admits(req),
  })
  sockets.on('connection', (socket) => {
    socket.on('error', () => {})
    socket.on('message', (message: Buffer) => message[0] === KIND.barrier && socket.send(message))
    socket.send(WELCOME)
  })
  server.on('tlsClientError', () => {})
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const hangUp = () => {
    for (const socket of sockets.clients) socket.terminate()
  }
  onTestFinished(() => {
    hangUp()
    server.close()
  })
  return { url: `wss://127.0.0.1:${(server.address() as AddressInfo).port}`, hangUp }
}

function authority(): Authority {
  const made = new Authority()
  onTestFinished(() => made.close())
  return made
}

test('a WebSocket reads its headers and certificates at each dial', async () => {
  const [trusted, other] = [authority(), authority()]
  let accepted = 'Bearer 0'
  const { url, hangUp } = await serveBehindProxy(
    trusted.issue(),
    ({ headers }) => headers.authorization === accepted,
  )
  let [ca, pass, given] = [other.ca, '', 'Bearer 0']
  class WebSocketWithPass extends WebSocket {
    constructor(address: string) {
      super(address, { headers: { authorization: pass }, ca })
    }
  }
  const token = async () => {
    pass = await Promise.resolve(given)
    return 'ann'
  }
  const hub = makeLive({ transport: websocket({ url, WebSocket: WebSocketWithPass, token }), name: HUB })
  const errors: string[] = []
  hub.on('error', ({ message }) => errors.push(message))
  await eventually(() => errors.join()).toMatch(/certificate/)
  ca = trusted.ca
  await hub.ready()
  accepted = 'Bearer 1'
  hangUp()
  await eventually(() => errors.join()).toMatch(/401/)
  given = 'Bearer 1'
  await hub.ready()
})

test("pages reconnect after the password of the relay's broker has changed", async () => {
  const broker = await ending(startMosquitto({ users: { fleet: 'old' } }))
  let password = 'old'
  const upstream = mqtt({ url: broker.url, username: 'fleet', password: async () => password })
  const { hub, page } = await serve({ upstream })
  const ann = await page('ann')
  const heard: unknown[] = []
  const subscription = ann.stream('positions').subscribe(({ data }) => heard.push(data))
  await subscription.ready
  writeFileSync(join(broker.folder, 'passwords'), mosquittoPasswords({ fleet: 'new' }))
  broker.signal('SIGHUP')
  for (const each of [hub, ann]) await eventually(() => each.status).toBe('down')
  password = 'new'
  await Promise.all([hub.ready(), ann.ready()])
  await subscription.ready
  hub.stream('positions').publish({ n: 1 })
  await eventually(() => heard).toEqual([{ n: 1 }])
})
