import type { Hub } from 'rivulet'
import type { RequestHead } from '../access/authentication.ts'
import type { Caller } from '../access/caller.ts'
import type { NoteForwarding } from '../access/open-access.ts'
import type { TokenResult } from '../access/token.ts'
import type { Answer } from '../base/answer.ts'
import type { GatewayLog } from '../base/gateway-log.ts'
import type { WriteProblem } from '../base/problem.ts'
import type { ClientSocket } from './client-socket.ts'
import type { DirectPublish } from './direct-publish.ts'
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
  /** The path under which a server mounts the gateway, or an empty text. */
  readonly basePath: string
  /** Whether there are no keys, and every client on this machine is let in. */
  readonly isOpen: boolean
  /** Takes log lines. */
  readonly log: GatewayLog
  /** Returns whether the gateway answers no more. */
  isClosed(): boolean
  /** Notes the headers of a request that does not come by a route. */
  readonly noteForwarding: NoteForwarding
  /** Authenticates a request with HTTP Basic that does not come by a route. Throws an `ApiError`. */
  basicCaller(authorization: string, head: RequestHead): Caller
  /** Verifies one of Twilio's access tokens. Notes in the log why a rightly signed one is refused. */
  verifyAccessToken(token: unknown): Promise<TokenResult>
}

/** A protocol that a gateway serves beside pages: HTTP routes, and WebSockets of its own kind. */
export interface Protocol {
  /** Its HTTP routes. */
  readonly routes: readonly ProtocolRoute[]
  /** Publishes with HTTP Basic without a web `Request`. */
  readonly publish: DirectPublish
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
