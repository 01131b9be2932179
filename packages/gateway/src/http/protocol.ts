import type { Hub } from 'rivulet'
import type { Caller } from '../access/caller.ts'
import type { TokenResult } from '../access/token.ts'
import type { Answer } from '../base/answer.ts'
import type { GatewayLog } from '../base/gateway-log.ts'
import type { WriteProblem } from '../base/problem.ts'
import type { ClientSocket } from './client-socket.ts'
import type { SocketEndpoint } from './socket-endpoint.ts'

/** A request to a protocol, from an authenticated caller. */
export interface ProtocolRequest {
  /** The request; its body is not read yet. */
  readonly request: Request
  /** The authenticated sender. */
  readonly caller: Caller
  /** The path below the gateway's `basePath`, as it was sent, undecoded. */
  readonly path: string
  /** Returns the URL by which the client reaches the gateway, with its `basePath`. */
  readonly baseUrl: () => string
  /** The client's connection, where the server is Node's. */
  readonly socket: ClientSocket | undefined
}

/** The head of a request whose body is a text, from a caller with HTTP Basic. */
export interface TextRequest {
  /** The authenticated sender. */
  readonly caller: Caller
  /** The path below the gateway's `basePath`, as it was sent, undecoded. */
  readonly path: string
  /** The header, or `null` without one. */
  readonly contentType: string | null
}

/** How a route answers `POST` without a web `Request`, for server SDKs. */
export interface TextRoute {
  /** The longest body in bytes; requests with longer ones go by `handle`. */
  readonly maxBytes: number
  /**
   * Checks the head of a request, and returns the function that takes its body as UTF-8 text and answers. Both may throw
   * an `ApiError`, and then the first refuses the request before its body is read.
   */
  begin(request: TextRequest): (text: string) => Answer | Promise<Answer>
}

/** A method and a path of a protocol, in the form of Hono. Its requests are authenticated before. */
export interface ProtocolRoute {
  /** The method, in upper case. */
  readonly method: string
  /** The path below the gateway's `basePath`. */
  readonly path: string
  /** The route's name in the log. */
  readonly name: string
  /** Answers a request; may throw an `ApiError`. */
  handle(request: ProtocolRequest): Answer | Promise<Answer>
  /** A faster way for the same requests, with the same answers. @default none */
  readonly text?: TextRoute | undefined
}

/** The number of clients of a protocol, and of the messages for them. */
export interface ProtocolCounts {
  /** Listeners of event streams now. */
  readonly listeners: number
  /** Connections of client SDKs now. */
  readonly connections: number
  /** Streams that client SDKs are subscribed to, in all. */
  readonly subscriptions: number
  /** Messages handed to clients. */
  readonly sent: number
  /** Messages that clients were too slow to take. */
  readonly dropped: number
}

/** The parts of a gateway that a protocol uses. */
export interface ProtocolHost {
  /** The hub of each service by its sid. */
  readonly services: ReadonlyMap<string, Hub>
  /** The account of the keys, for responses. */
  readonly accountSid: string
  /** Whether there are no keys, and every client on this machine is let in. */
  readonly isOpen: boolean
  /** Takes log lines. */
  readonly log: GatewayLog
  /** Verifies one of Twilio's access tokens. Notes in the log why a rightly signed one is refused. */
  verifyAccessToken(token: unknown): Promise<TokenResult>
}

/** A protocol that a gateway serves beside pages: HTTP routes, and WebSockets of its own kind. */
export interface Protocol {
  /** Its HTTP routes. */
  readonly routes: readonly ProtocolRoute[]
  /** Its WebSockets, at paths below the gateway's `basePath`. */
  readonly sockets: readonly SocketEndpoint[]
  /** Its OpenAPI description, which is served at `/openapi.json` without authentication. */
  readonly description: string
  /** Its clients now, and the messages for them. */
  readonly counts: ProtocolCounts
  /** `degraded` while streams can be used, but not created, changed or removed. */
  readonly status: 'up' | 'degraded'
  /** Writes the body of an error of its routes. */
  readonly writeProblem: WriteProblem
  /** Answers for a path with no route for its method. */
  unknownRoute(path: string): Answer
  /** Ends the clients of keys that are gone or have changed. */
  endOf(keySids: ReadonlySet<string>): void
  /** Notifies the clients, and ends them. */
  close(): Promise<void>
}

/** Makes a protocol for a gateway. Called once for each gateway. */
export type MountProtocol = (host: ProtocolHost) => Protocol
