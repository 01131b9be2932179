import type { IncomingMessage, Server } from 'node:http'
import type { Duplex } from 'node:stream'

/**
 * Node cuts `rawHeaders` without a word, by whole batches of 32, once it has as many as `maxHeadersCount` was when the
 * connection began. A request with fewer is whole, whatever a program has set meanwhile
 * (`kMaxHeaderFieldsCount` in Node's src/node_http_parser.cc).
 */
const BATCH_OF_HEADERS = 32

/** Returns whether `rawHeaders` has all headers of a request, on a server whose limit on them is not known. */
export function hasAllHeaders({ rawHeaders }: IncomingMessage): boolean {
  return rawHeaders.length / 2 < BATCH_OF_HEADERS
}

/** Returns whether a request asks for a WebSocket, and for no other protocol. */
export function isForWebSocket({ headers }: IncomingMessage): boolean {
  return headers.upgrade?.toLowerCase() === 'websocket'
}

/** Returns whether Node is still to send the answer to an earlier request of the connection, which has no public name. */
export function isAnswering(socket: Duplex): boolean {
  return ((socket as { _httpMessage?: unknown })._httpMessage ?? null) !== null
}

/**
 * Has a request answered as if it had not asked for another protocol, e.g. `h2c`, which some HTTP clients try. Node
 * would have done so itself, without a listener for upgrades. Only for a request whose headers are all there: a
 * `Content-Length` that is left out would make its body the next request.
 */
export function handBack(server: Server, request: IncomingMessage, socket: Duplex, head: Buffer): void {
  const { method, url, httpVersion, rawHeaders } = request
  const lines = [`${method} ${url} HTTP/${httpVersion}`]
  for (let index = 0; index < rawHeaders.length; index += 2) {
    if (rawHeaders[index]?.toLowerCase() !== 'upgrade')
      lines.push(`${rawHeaders[index]}: ${rawHeaders[index + 1]}`)
  }
  // Node gives header values as Latin-1, in which a byte is a character.
  socket.unshift(Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'), head]))
  // A server of HTTPS reads requests from what this event brings; `connection` would begin TLS anew.
  const isOverTls = server.listenerCount('secureConnection') > 0
  server.emit(isOverTls ? 'secureConnection' : 'connection', socket)
}
