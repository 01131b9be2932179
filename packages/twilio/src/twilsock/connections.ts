import {
  beatsUntilStalled,
  type Caller,
  type GatewayLog,
  Heartbeat,
  MAX_NUMBER,
  PendingConnections,
  Quota,
} from '@rivulet/gateway/protocol'
import type { StreamService } from '../streams/stream-service.ts'
import { Connection } from './connection.ts'
import type { ConnectionHost } from './connection-host.ts'
import type { TwilsockHandler, TwilsockSocket } from './socket.ts'

/** The limits on connections, and their settings. */
export interface ConnectionOptions {
  readonly verify: ConnectionHost['verify']
  /** The fields in the descriptions of streams. */
  readonly accountSid: string
  readonly log: GatewayLog
  /** Changes when streams may be lost. */
  readonly epoch: () => string
  readonly limits: ConnectionLimits
}

/** The limits on connections of client SDKs, and on each of them. */
export interface ConnectionLimits {
  /** How many connections each identity may have. @default 20 */
  readonly maxPerIdentity: number
  /** How many streams each connection may be subscribed to. @default 1000 */
  readonly maxSubscriptions: number
  /** Bytes that may wait for a client that reads slowly; further messages are dropped. @default 1048576 */
  readonly maxWaitingBytes: number
  /** Pending connections, whose token is not checked yet. One more evicts the oldest of them. @default 2000 */
  readonly maxPending: number
  /** Milliseconds after which a connection that takes nothing, or gives no sign of life, is ended. @default 60000 */
  readonly stallMs: number
}

/** Least value, default and greatest value of each limit. */
export const CONNECTION_BOUNDS = {
  maxPerIdentity: [1, 20, MAX_NUMBER],
  maxSubscriptions: [1, 1_000, MAX_NUMBER],
  maxWaitingBytes: [1, 1_048_576, MAX_NUMBER],
  // Each may cost some 30 KiB for ten seconds without any token. Those of client SDKs stay for a moment only.
  maxPending: [1, 2_000, MAX_NUMBER],
  stallMs: [1, 60_000, MAX_NUMBER],
} as const

/** The counts of connections and of the messages for them. */
export interface ConnectionCounts {
  readonly connections: number
  readonly subscriptions: number
  readonly sent: number
  readonly dropped: number
}

// Twilio's SDK has no timer of its own; proxies end connections that are silent for a minute.
const PING_MS = 20_000

/** All connections of client SDKs. */
export class Connections {
  readonly #options: ConnectionOptions
  readonly #host: ConnectionHost
  readonly #counts = { subscriptions: 0, sent: 0, dropped: 0 }
  readonly #all: Heartbeat<Connection>
  readonly #pending: PendingConnections
  readonly #perIdentity: Quota
  /** The name that each admitted connection counts by. */
  readonly #countedAs = new Map<TwilsockHandler, string>()
  #isClosed = false

  constructor(streams: StreamService, options: ConnectionOptions) {
    this.#options = options
    const { limits } = options
    this.#pending = new PendingConnections(limits.maxPending)
    this.#perIdentity = new Quota(limits.maxPerIdentity)
    const mostBeats = beatsUntilStalled(limits.stallMs, PING_MS)
    this.#all = new Heartbeat(PING_MS, (connections) => {
      for (const connection of connections) connection.beat(mostBeats)
    })
    this.#host = {
      streams,
      accountSid: options.accountSid,
      log: options.log,
      limits,
      counts: this.#counts,
      isClosed: () => this.#isClosed,
      verify: options.verify,
      storageIdOf: (caller) => this.#storageIdOf(caller),
      admit: (connection, caller) => this.#admit(connection, caller),
      ended: (connection) => this.#ended(connection),
    }
  }

  /** Counts connections too. */
  get snapshot(): ConnectionCounts {
    return { connections: this.#all.size, ...this.#counts }
  }

  /** Takes a socket over. When there are too many pending connections, the oldest of them is evicted. */
  accept(socket: TwilsockSocket): TwilsockHandler {
    const connection = new Connection(socket, this.#host)
    this.#all.add(connection)
    this.#pending.add(connection)
    if (this.#isClosed) connection.end()
    return connection
  }

  /** Ends the connections of keys; their clients come back, if they have other tokens. */
  endOf(keySids: ReadonlySet<string>): void {
    for (const connection of this.#all.sessions) {
      if (keySids.has(connection.caller?.keySid ?? '')) connection.end()
    }
  }

  /** Ends all connections; their clients come back by themselves. */
  close(): void {
    this.#isClosed = true
    for (const connection of this.#all.sessions) connection.end()
  }

  /** Depends on all that decides which streams a name means; after a loss of streams it is another one. */
  async #storageIdOf({ serviceSid, identity }: Caller): Promise<string> {
    const { accountSid, epoch } = this.#options
    const parts = new TextEncoder().encode(JSON.stringify([accountSid, serviceSid, identity, epoch()]))
    const hash = new Uint8Array(await crypto.subtle.digest('SHA-256', parts))
    return [...hash.subarray(0, 16)].map((byte) => byte.toString(16).padStart(2, '0')).join('')
  }

  /** Counts a connection by its caller, and returns whether there was capacity. An admitted one may show another caller. */
  #admit(connection: TwilsockHandler, caller: Caller): boolean {
    const name = countedNameOf(caller)
    const before = this.#countedAs.get(connection)
    if (before === name) return true
    if (this.#perIdentity.isUsedUp(name)) return false
    if (before !== undefined) this.#perIdentity.delete(before)
    this.#perIdentity.add(name)
    this.#countedAs.set(connection, name)
    this.#pending.delete(connection as Connection)
    return true
  }

  #ended(connection: TwilsockHandler): void {
    this.#all.delete(connection as Connection)
    this.#pending.delete(connection as Connection)
    const name = this.#countedAs.get(connection)
    if (name !== undefined) this.#perIdentity.delete(name)
    this.#countedAs.delete(connection)
  }
}

/** With the key: whoever may sign tokens with one chooses their identities, and would shut those of another key out. */
function countedNameOf({ keySid, serviceSid, identity }: Caller): string {
  return `${keySid}/${serviceSid}/${identity}`
}
