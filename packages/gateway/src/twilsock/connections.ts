import type { Caller } from '../access/caller.ts'
import type { KeyRing } from '../access/key-ring.ts'
import { type TokenResult, verifyAccessToken } from '../access/token.ts'
import type { GatewayLog } from '../base/gateway-log.ts'
import type { StreamService } from '../streams/stream-service.ts'
import { Connection } from './connection.ts'
import type { ConnectionHost } from './connection-host.ts'
import type { TwilsockHandler, TwilsockSocket } from './socket.ts'

/** How many connections there may be, and how they behave. */
export interface ConnectionOptions {
  readonly keys: KeyRing
  readonly services: ReadonlyMap<string, unknown>
  /** What stands in the descriptions of streams. */
  readonly accountSid: string
  readonly log: GatewayLog
  /** Changes when streams may be lost. */
  readonly epoch: () => string
  readonly maxConnectionsPerIdentity: number
  readonly maxSubscriptionsPerConnection: number
  readonly maxConnectionWaitingBytes: number
  readonly stallMs: number
}

/** What there is of connections, and what became of the messages for them. */
export interface ConnectionCounts {
  readonly connections: number
  readonly subscriptions: number
  readonly sent: number
  readonly dropped: number
}

// Twilio's SDK has no timer of its own; proxies end connections that are silent for a minute.
const PING_MS = 20_000
// Each may cost some 30 KiB for ten seconds without any token. Those of client SDKs stay for a moment only.
const MAX_STRANGERS = 2000
const TRY_AGAIN_LATER = 1013
// The gateway's own are below a kilobyte; an identity has 256 characters at the most.
const MAX_TOKEN_LENGTH = 8192

/** All connections of client SDKs. */
export class Connections {
  readonly #options: ConnectionOptions
  readonly #host: ConnectionHost
  readonly #counts = { subscriptions: 0, sent: 0, dropped: 0 }
  readonly #all = new Set<Connection>()
  readonly #perIdentity = new Map<string, number>()
  #admitted = 0
  #timer: ReturnType<typeof setTimeout> | undefined
  #isClosed = false

  constructor(streams: StreamService, options: ConnectionOptions) {
    this.#options = options
    this.#host = {
      streams,
      accountSid: options.accountSid,
      log: options.log,
      maxWaitingBytes: options.maxConnectionWaitingBytes,
      maxSubscriptions: options.maxSubscriptionsPerConnection,
      counts: this.#counts,
      isClosed: () => this.#isClosed,
      verify: (token) => this.#verify(token),
      storageIdOf: (caller) => this.#storageIdOf(caller),
      admit: (caller) => this.#admit(caller),
      ended: (connection, caller) => this.#ended(connection, caller),
    }
  }

  /** Counts connections too. */
  get snapshot(): ConnectionCounts {
    return { connections: this.#all.size, ...this.#counts }
  }

  /** Takes a socket over, or closes it when too many clients have not said yet who they are. */
  accept(socket: TwilsockSocket): TwilsockHandler {
    const isCrowded = this.#all.size - this.#admitted >= MAX_STRANGERS
    const connection = new Connection(socket, this.#host)
    this.#all.add(connection)
    this.#timer ??= setTimeout(() => this.#beat(), PING_MS)
    if (this.#isClosed) connection.end()
    else if (isCrowded) connection.end(TRY_AGAIN_LATER)
    return connection
  }

  /** Ends the connections of keys; their clients come back, if they have other tokens. */
  endOf(keySids: ReadonlySet<string>): void {
    for (const connection of [...this.#all]) {
      if (keySids.has(connection.caller?.keySid ?? '')) connection.end()
    }
  }

  /** Ends all connections; their clients come back by themselves. */
  close(): void {
    this.#isClosed = true
    for (const connection of [...this.#all]) connection.end()
  }

  async #verify(token: unknown): Promise<TokenResult> {
    const { keys, services } = this.#options
    const nowMs = Date.now()
    if (typeof token !== 'string' || token.length > MAX_TOKEN_LENGTH) return { ok: false, reason: 'invalid' }
    return verifyAccessToken(token, keys, services, keys.accountSid, nowMs)
  }

  /** Depends on all that decides which streams a name stands for; after a loss of streams it is another one. */
  async #storageIdOf({ serviceSid, identity }: Caller): Promise<string> {
    const { accountSid, epoch } = this.#options
    const parts = new TextEncoder().encode(JSON.stringify([accountSid, serviceSid, identity, epoch()]))
    const hash = new Uint8Array(await crypto.subtle.digest('SHA-256', parts))
    return [...hash.subarray(0, 16)].map((byte) => byte.toString(16).padStart(2, '0')).join('')
  }

  #admit(caller: Caller): boolean {
    const key = identityKey(caller)
    const count = this.#perIdentity.get(key) ?? 0
    if (count >= this.#options.maxConnectionsPerIdentity) return false
    this.#perIdentity.set(key, count + 1)
    this.#admitted += 1
    return true
  }

  #ended(connection: TwilsockHandler, caller: Caller | undefined): void {
    this.#all.delete(connection as Connection)
    if (this.#all.size === 0) {
      clearTimeout(this.#timer)
      this.#timer = undefined
    }
    if (caller === undefined) return
    this.#admitted -= 1
    const key = identityKey(caller)
    const count = this.#perIdentity.get(key) ?? 0
    if (count > 1) this.#perIdentity.set(key, count - 1)
    else this.#perIdentity.delete(key)
  }

  #beat(): void {
    this.#timer = setTimeout(() => this.#beat(), PING_MS)
    const mostBeats = Math.max(1, Math.ceil(this.#options.stallMs / PING_MS))
    for (const connection of [...this.#all]) connection.beat(mostBeats)
  }
}

function identityKey({ serviceSid, identity }: Caller): string {
  return `${serviceSid}/${identity}`
}
