import type { Answer } from '../base/answer.ts'
import type { PageRequest } from '../pages/page-request.ts'

/** A WebSocket that a server has accepted. Its methods never throw. */
export interface ServedSocket {
  /** Sends a binary message. The bytes are shared and must not be written to. */
  send(bytes: Uint8Array): void
  /** Sends what waits, and closes with that code. */
  close(code: number, reason?: string): void
  /** Ends the connection at once, without what waits. */
  terminate(): void
  /** Sends a WebSocket ping. */
  ping(): void
  /** How many bytes wait because the client does not take them. */
  readonly bufferedBytes: number
}

/** Handles the events of one WebSocket. Its methods never throw. */
export interface SocketHandler {
  /** Whether the client is authenticated. Before that, a server ends a socket that has sent more than 12 KiB in all. */
  readonly isKnown: boolean
  /** Takes a message: bytes of a binary one, a string of a text. The bytes must not change afterwards. */
  receive(message: Uint8Array | string): void
  /** The socket is closed, by whichever side. */
  closed(): void
  /** The client has answered a ping. */
  pong?(): void
}

/** A path at which servers take WebSockets. */
export interface SocketEndpoint {
  /** The path of the request, without a query. */
  readonly path: string
  /** A server takes no longer message. */
  readonly maxMessageBytes: number
  /** Gives the answer to a request that is refused. Absent where every request becomes a WebSocket. */
  check?(request: PageRequest): Answer | undefined
  /** Takes a socket over. */
  accept(socket: ServedSocket): SocketHandler
}
