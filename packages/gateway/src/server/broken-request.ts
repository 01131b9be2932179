import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { type Answer, problemAnswer } from '../base/answer.ts'
import { PROBLEMS, type Problem } from '../base/problem.ts'
import type { Gateway } from '../gateway/gateway.ts'
import type { ClientSockets } from './client-sockets.ts'

// A name or an address, and a port: RFC 3986, 3.2.2.
const HOST = /^([\w.~!$&'()*+,;=%-]+|\[[\da-f:.]+\])(:\d*)?$/i

/** Headers of a request. Browsers send some 20; each costs 20 bytes and more, however short it is. */
export const MAX_HEADERS = 100

/** Answers, in the API's form, what Node itself refuses: broken HTTP, headers too large, requests too slow. */
export function answerBrokenRequests(server: Server, refuse: Refuse): void {
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => refuse(socket, problemOf(error.code)))
  // A tunnel is not what this is for; without a listener Node would just hang up.
  server.on('connect', (_request, socket) => refuse(socket, PROBLEMS.methodNotAllowed))
}

/** Answers a connection with a problem or another answer, and ends it. */
export type Refuse = (socket: Duplex, refusal: Problem | Answer) => void

/**
 * Makes what refuses. A client that would take the refusal for another answer is hung up on without one. The names of
 * statuses are those of Node, whose modules are imported in one place only.
 */
export function refuseBy(statusNames: StatusNames, sockets: ClientSockets): Refuse {
  return (socket, refusal) => {
    const answer = 'headers' in refusal ? refusal : problemAnswer(refusal)
    if (sockets.isAnswering(socket as Socket)) socket.destroy()
    else end(socket, answer, statusNames)
  }
}

/** Answers a request with a problem, and ends its connection. */
export function refuseRequest(outgoing: ServerResponse, problem: Problem): void {
  const { status, headers, body } = problemAnswer(problem)
  outgoing.writeHead(status, closing(headers, body)).end(body)
}

type StatusNames = Readonly<Record<number, string | undefined>>

function problemOf(code: string | undefined): Problem {
  if (code === 'HPE_HEADER_OVERFLOW') return PROBLEMS.headersTooLarge
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return PROBLEMS.timedOut
  return PROBLEMS.badRequest
}

function end(socket: Duplex, { status, headers, body }: Answer, statusNames: StatusNames): void {
  const lines = Object.entries(closing(headers, body)).map(([name, value]) => `${name}: ${value}\r\n`)
  // Node has handed the socket over, so its errors have no other listener.
  socket.on('error', () => {})
  if (socket.writable) socket.end(`HTTP/1.1 ${status} ${statusNames[status]}\r\n${lines.join('')}\r\n${body}`)
  // A client that goes on sending must not keep the connection half open.
  setTimeout(() => socket.destroy(), 1000).unref()
}

function closing(headers: Answer['headers'], body: Answer['body']): Record<string, string | number> {
  return { ...headers, 'content-length': Buffer.byteLength(body as string), connection: 'close' }
}

/** Returns whether a request may have had more headers than Node has kept. */
export function hasManyHeaders({ rawHeaders }: IncomingMessage): boolean {
  return rawHeaders.length / 2 >= MAX_HEADERS
}

/**
 * Returns whether a proxy that says nothing of itself may have sent a request, as Nginx does with its defaults: clients of
 * today use HTTP/1.1.
 */
export function isOfOldProxy({ httpVersionMajor, httpVersionMinor }: IncomingMessage): boolean {
  return httpVersionMajor === 1 && httpVersionMinor === 0
}

/** Returns whether a request is HAProxy's plain `option httpchk GET /healthz`: HTTP/1.0 has no host (RFC 1945). */
export function isPlainHealthCheck(request: IncomingMessage, { healthPaths }: Gateway): boolean {
  const { method, url = '', headers } = request
  if (!isOfOldProxy(request) || headers.host !== undefined || headers.upgrade !== undefined) return false
  return (method === 'GET' || method === 'HEAD') && healthPaths.includes(url)
}

/** Of a version that is spoken here, and with one host: a proxy in front may have gone by another (RFC 9112, 3.2). */
export function isClear({ headers, httpVersionMajor, rawHeaders }: IncomingMessage): boolean {
  let hosts = 0
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] as string
    if (name.length === 4 && name.toLowerCase() === 'host') hosts++
  }
  return httpVersionMajor === 1 && hosts === 1 && HOST.test(headers.host ?? '')
}
