import type { IncomingMessage, Server } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { WebSocket, WebSocketServer } from 'ws'
import type { Gateway } from '../gateway/gateway.ts'
import type { TwilsockHandler } from '../twilsock/socket.ts'
import { isClear, type Refuse } from './broken-request.ts'
import type { ClientSockets } from './client-sockets.ts'

// The SDK's own frames have 13 kB at the most; publishes are as large as applications make them.
const MAX_FRAME_BYTES = 1_048_576
// Each costs some 130 bytes and more, however short it is. The SDK sends a message in one frame.
const MAX_FRAGMENTS = 32
// A mebibyte in segments of TCP's usual size has 725.
const MAX_CHUNKS = 2048
// A token has 8 KiB at the most. `ws` gathers a message until it is whole, whoever sends it.
const MAX_BYTES_OF_STRANGERS = 12_288
// Until then what waits for a client stays in memory, though the connection does not count any more.
const CLOSE_TIMEOUT_MS = 5000

/**
 * Takes the WebSockets of client SDKs at the gateway's path for them; others are refused. Gives the function that ends
 * all that are still open.
 */
export async function takeUpgrades(
  server: Server,
  gateway: Gateway,
  { refuse, sockets: clients }: { readonly refuse: Refuse; readonly sockets: ClientSockets },
): Promise<() => void> {
  const sockets = new Set<WebSocket>()
  const webSockets = await webSocketServer()
  webSockets.on('wsClientError', (_error, socket) => refuse(socket, 'badRequest'))
  server.on('upgrade', (request, socket, head) => {
    // What is written now would come before the answers to earlier requests.
    if (clients.isAnswering(socket as Socket)) return socket.destroy()
    if (!isForWebSocket(request)) return handBack(server, request, socket, head)
    if (!isClear(request)) return refuse(socket, 'badRequest')
    if (pathOf(request) !== gateway.twilsockPath) return refuse(socket, 'notFound')
    webSockets.handleUpgrade(request, socket, head, (webSocket) => {
      sockets.add(webSocket)
      webSocket.on('close', () => sockets.delete(webSocket))
      bind(webSocket, socket, gateway)
    })
  })
  return () => {
    for (const socket of sockets) socket.terminate()
  }
}

/**
 * Takes the WebSockets of Twilio's client SDKs on a server of your own, beside `toNodeHandler`. Those for other paths
 * are left to other listeners of `upgrade`; where there are none they are ended. A server of the package `ws` beside
 * it needs `noServer`: with a path it would refuse these.
 */
export async function attachTwilsock(server: Server, gateway: Gateway): Promise<void> {
  const webSockets = await webSocketServer()
  server.on('upgrade', (request, socket, head) => {
    if (pathOf(request) === gateway.twilsockPath) {
      webSockets.handleUpgrade(request, socket, head, (webSocket) => bind(webSocket, socket, gateway))
    } else if (server.listenerCount('upgrade') === 1) socket.destroy()
  })
}

async function webSocketServer(): Promise<WebSocketServer> {
  // Only here: a gateway that serves no client SDKs does not need it.
  const { WebSocketServer } = await import('ws')
  return new WebSocketServer({
    ...{ noServer: true, clientTracking: false, perMessageDeflate: false, closeTimeout: CLOSE_TIMEOUT_MS },
    maxPayload: MAX_FRAME_BYTES,
    ...{ maxFragments: MAX_FRAGMENTS, maxBufferedChunks: MAX_CHUNKS },
  })
}

function bind(webSocket: WebSocket, socket: Duplex, gateway: Gateway): void {
  const handler = gateway.acceptTwilsock({
    send: (bytes) => webSocket.send(bytes),
    close: (code) => webSocket.close(code),
    terminate: () => webSocket.terminate(),
    ping: () => webSocket.ping(),
    get bufferedBytes() {
      return webSocket.bufferedAmount
    },
  })
  webSocket.on('message', (data, isBinary) => handler.receive(isBinary ? (data as Buffer) : String(data)))
  webSocket.on('pong', () => handler.pong())
  webSocket.on('close', () => handler.closed())
  // A frame that is too large, or no frame: `ws` closes the socket, and tells of that too.
  webSocket.on('error', () => {})
  limitStrangers(webSocket, socket, handler)
}

/** Ends a socket that sends too much before its client has said who it is. */
function limitStrangers(webSocket: WebSocket, socket: Duplex, handler: TwilsockHandler): void {
  let bytes = 0
  const count = (chunk: Buffer) => {
    bytes += chunk.length
    if (handler.isKnown) socket.off('data', count)
    else if (bytes > MAX_BYTES_OF_STRANGERS) webSocket.terminate()
  }
  socket.on('data', count)
}

function isForWebSocket({ headers }: IncomingMessage): boolean {
  return headers.upgrade?.toLowerCase() === 'websocket'
}

function pathOf({ url = '' }: IncomingMessage): string {
  return url.split('?', 1)[0] as string
}

/**
 * Has a request answered as if it had not asked for another protocol, e.g. `h2c`, which some HTTP clients try. Node
 * would have done so itself, were there nobody who takes upgrades.
 */
function handBack(server: Server, request: IncomingMessage, socket: Duplex, head: Buffer): void {
  const { method, url, httpVersion, rawHeaders } = request
  const lines = [`${method} ${url} HTTP/${httpVersion}`]
  for (let index = 0; index < rawHeaders.length; index += 2) {
    if (rawHeaders[index]?.toLowerCase() !== 'upgrade')
      lines.push(`${rawHeaders[index]}: ${rawHeaders[index + 1]}`)
  }
  // Node gives header values as Latin-1, in which a byte is a character.
  socket.unshift(Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'), head]))
  server.emit('connection', socket)
}
