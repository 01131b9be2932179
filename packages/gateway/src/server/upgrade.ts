import type { IncomingMessage, Server } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { MAX_PENDING_BYTES } from '@rivulet/websocket/protocol'
import type { ServerOptions, WebSocket, WebSocketServer } from 'ws'
import { type Answer, problemAnswer } from '../base/answer.ts'
import { PROBLEMS } from '../base/problem.ts'
import type { Gateway } from '../gateway/gateway.ts'
import type { SocketEndpoint, SocketHandler } from '../http/socket-endpoint.ts'
import { hasManyHeaders, isClear, isOfOldProxy, type Refuse } from './broken-request.ts'
import type { ClientSockets } from './client-sockets.ts'
import { handBack, hasAllHeaders, isAnswering, isForWebSocket } from './hand-back.ts'

// Each costs some 130 bytes and more, however short it is. Clients send a message in one frame.
const MAX_FRAGMENTS = 32
// A mebibyte in segments of TCP's usual size has 725.
const MAX_CHUNKS = 2048
// Until then what waits for a client stays in memory, though the connection does not count any more.
const CLOSE_TIMEOUT_MS = 5000

/** A path whose WebSockets the gateway takes. */
interface Endpoint {
  readonly webSockets: WebSocketServer
  /** Gives the answer to a request that is refused. */
  check(request: IncomingMessage): Answer | undefined
  readonly accept: SocketEndpoint['accept']
}

/**
 * Takes WebSockets at the gateway's paths for them; others are refused. Gives the function that ends all that are
 * still open.
 */
export async function takeUpgrades(
  server: Server,
  gateway: Gateway,
  { refuse, sockets: clients }: { readonly refuse: Refuse; readonly sockets: ClientSockets },
): Promise<() => void> {
  const sockets = new Set<WebSocket>()
  const endpoints = await endpointsOf(gateway)
  for (const { webSockets } of endpoints.values()) {
    webSockets.on('wsClientError', (_error, socket) => refuse(socket, PROBLEMS.badRequest))
  }
  server.on('upgrade', (request, socket, head) => {
    // What is written now would come before the answers to earlier requests.
    if (clients.isAnswering(socket as Socket)) return socket.destroy()
    // Node has left out what is beyond its limit, which is this server's own: a length, or a second host.
    if (hasManyHeaders(request)) return refuse(socket, PROBLEMS.headersTooLarge)
    if (!isForWebSocket(request)) return handBack(server, request, socket, head)
    if (!isClear(request)) return refuse(socket, PROBLEMS.badRequest)
    const endpoint = endpoints.get(pathOf(request))
    const refusal = endpoint === undefined ? PROBLEMS.notFound : endpoint.check(request)
    if (endpoint === undefined || refusal !== undefined) return refuse(socket, refusal ?? PROBLEMS.notFound)
    endpoint.webSockets.handleUpgrade(request, socket, head, (webSocket) => {
      sockets.add(webSocket)
      webSocket.on('close', () => sockets.delete(webSocket))
      bind(webSocket, socket, endpoint)
    })
  })
  return () => {
    for (const socket of sockets) socket.terminate()
  }
}

/**
 * Takes the WebSockets of pages and of the gateway's protocol on a server of your own, beside `toNodeHandler`. Those for
 * other paths are left to other listeners of `upgrade`; where there are none they are ended, and requests that ask for
 * another protocol, as `h2c`, are answered as if they had not. A server of the package `ws` beside it needs
 * `noServer`: with a path it would refuse these.
 */
export async function attachWebSockets(server: Server, gateway: Gateway): Promise<void> {
  const endpoints = await endpointsOf(gateway)
  server.on('upgrade', (request, socket, head) => {
    const isAlone = server.listenerCount('upgrade') === 1
    if (!isForWebSocket(request)) {
      if (isAlone) answerWithoutUpgrade(server, request, socket, head)
      return
    }
    const endpoint = endpoints.get(pathOf(request))
    const refusal = endpoint?.check(request)
    if (endpoint === undefined) {
      if (isAlone) socket.destroy()
    } else if (refusal !== undefined) {
      refuseWith(refusal.status, socket)
    } else {
      endpoint.webSockets.handleUpgrade(request, socket, head, (webSocket) =>
        bind(webSocket, socket, endpoint),
      )
    }
  })
}

/** Node has taken the request off the server for the sake of the listener above, whatever protocol it asked for. */
function answerWithoutUpgrade(server: Server, request: IncomingMessage, socket: Duplex, head: Buffer): void {
  // The answers to both would be mixed.
  if (isAnswering(socket)) socket.destroy()
  else if (hasAllHeaders(request)) handBack(server, request, socket, head)
  else refuseWith(PROBLEMS.headersTooLarge.status, socket)
}

function refuseWith(status: number, socket: Duplex): void {
  // Node has handed the socket over, so its errors have no other listener.
  socket.on('error', () => {})
  socket.end(`HTTP/1.1 ${status} Refused\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`)
}

async function endpointsOf(gateway: Gateway): Promise<ReadonlyMap<string, Endpoint>> {
  const endpoints = new Map<string, Endpoint>()
  for (const { path, maxMessageBytes, check, accept } of gateway.sockets) {
    endpoints.set(path, {
      webSockets: await webSocketServer(maxMessageBytes),
      check: (request) => check && checkBy(check, request, gateway),
      accept,
    })
  }
  return endpoints
}

function checkBy(
  check: NonNullable<SocketEndpoint['check']>,
  request: IncomingMessage,
  gateway: Gateway,
): Answer | undefined {
  if (gateway.isOpen && isOfOldProxy(request)) return problemAnswer(PROBLEMS.forwarded)
  return check({ url: urlOf(request), headers: headersOf(request) })
}

async function webSocketServer(maxPayload: number): Promise<WebSocketServer> {
  // Only here: a gateway that serves no WebSockets does not need it.
  const { WebSocketServer } = await import('ws')
  // The declarations of ws lack closeTimeout.
  const options: ServerOptions & { readonly closeTimeout: number } = {
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    closeTimeout: CLOSE_TIMEOUT_MS,
    maxPayload,
    maxFragments: MAX_FRAGMENTS,
    maxBufferedChunks: MAX_CHUNKS,
  }
  return new WebSocketServer(options)
}

function bind(webSocket: WebSocket, socket: Duplex, endpoint: Endpoint): void {
  const handler = endpoint.accept({
    send: (bytes) => webSocket.send(bytes),
    close: (code, reason) => webSocket.close(code, reason),
    terminate: () => webSocket.terminate(),
    ping: () => webSocket.ping(),
    get bufferedBytes() {
      return webSocket.bufferedAmount
    },
  })
  webSocket.on('message', (data, isBinary) => handler.receive(isBinary ? (data as Buffer) : String(data)))
  webSocket.on('pong', () => handler.pong?.())
  webSocket.on('close', () => handler.closed())
  // A frame that is too large, or no frame: `ws` closes the socket, and emits `close` too.
  webSocket.on('error', () => {})
  limitPending(webSocket, socket, handler)
}

/**
 * Ends the socket of a pending connection that sends too much: `ws` buffers a message until it is whole, before any
 * token is checked. The limit is that of pages; Twilio's client SDKs send less.
 */
function limitPending(webSocket: WebSocket, socket: Duplex, handler: SocketHandler): void {
  let bytes = 0
  const count = (chunk: Buffer) => {
    bytes += chunk.length
    if (handler.isKnown) socket.off('data', count)
    else if (bytes > MAX_PENDING_BYTES) webSocket.terminate()
  }
  socket.on('data', count)
}

function pathOf({ url = '' }: IncomingMessage): string {
  return url.split('?', 1)[0] as string
}

function urlOf({ url, headers }: IncomingMessage): string {
  return `http://${headers.host}${url}`
}

function headersOf({ rawHeaders }: IncomingMessage): Headers {
  const headers = new Headers()
  for (let index = 0; index < rawHeaders.length; index += 2) {
    headers.append(rawHeaders[index] as string, rawHeaders[index + 1] as string)
  }
  return headers
}
