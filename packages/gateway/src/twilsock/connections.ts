import { runOutside } from 'rivulet/transport'
import type { Caller } from '../access/caller.ts'
import type { KeyRing } from '../access/key-ring.ts'
import { MAX_TOKEN_LENGTH, TOO_LONG, type TokenResult, verifyAccessToken } from '../access/token.ts'
import type { GatewayLog } from '../base/gateway-log.ts'
import { NameCounts } from '../base/name-counts.ts'
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
  readonly maxTokenLifeSeconds: number
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

/** All connections of client SDKs. */
export class Connections {
  readonly #options: ConnectionOptions
  readonly #host: ConnectionHost
  readonly #counts = { subscriptions: 0, sent: 0, dropped: 0 }
  readonly #all = new Set<Connection>()
  /** Those that are not admitted yet, the oldest first. */
  readonly #strangers = new Set<Connection>()
  readonly #perIdentity = new NameCounts()
  /** The name that each admitted connection counts by. */
  readonly #countedAs = new Map<TwilsockHandler, string>()
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
      admit: (connection, caller) => this.#admit(connection, caller),
      ended: (connection) => this.#ended(connection),
    }
  }

  /** Counts connections too. */
  get snapshot(): ConnectionCounts {
    return { connections: this.#all.size, ...this.#counts }
  }

  /** Takes a socket over. When too many clients have not said yet who they are, the oldest of them gives way. */
  accept(socket: TwilsockSocket): TwilsockHandler {
    // Not the new one: who opens many connections and says nothing would keep all others out.
    const [oldest] = this.#strangers.size >= MAX_STRANGERS ? this.#strangers : []
    oldest?.giveWay()
    const connection = new Connection(socket, this.#host)
    this.#all.add(connection)
    this.#strangers.add(connection)
    this.#timer ??= runOutside(() => setTimeout(() => this.#beat(), PING_MS))
    if (this.#isClosed) connection.end()
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
    const { keys, services, maxTokenLifeSeconds, log } = this.#options
    const nowMs = Date.now()
    if (typeof token !== 'string' || token.length > MAX_TOKEN_LENGTH) return { ok: false, reason: 'invalid' }
    const { accountSid } = keys
    const result = await verifyAccessToken(token, keys, services, accountSid, nowMs, maxTokenLifeSeconds)
    if (!result.ok && result.reason === 'tooLong') log.warn({ maxTokenLifeSeconds }, TOO_LONG)
    return result
  }

  /** Depends on all that decides which streams a name stands for; after a loss of streams it is another one. */
  async #storageIdOf({ serviceSid, identity }: Caller): Promise<string> {
    const { accountSid, epoch } = this.#options
    const parts = new TextEncoder().encode(JSON.stringify([accountSid, serviceSid, identity, epoch()]))
    const hash = new Uint8Array(await crypto.subtle.digest('SHA-256', parts))
    return [...hash.subarray(0, 16)].map((byte) => byte.toString(16).padStart(2, '0')).join('')
  }

  /** Counts a connection by its caller, and tells whether there was room. One that is admitted may show another caller. */
  #admit(connection: TwilsockHandler, caller: Caller): boolean {
    const name = countedNameOf(caller)
    const before = this.#countedAs.get(connection)
    if (before === name) return true
    if (this.#perIdentity.of(name) >= this.#options.maxConnectionsPerIdentity) return false
    if (before !== undefined) this.#perIdentity.delete(before)
    this.#perIdentity.add(name)
    this.#countedAs.set(connection, name)
    this.#strangers.delete(connection as Connection)
    return true
  }

  #ended(connection: TwilsockHandler): void {
    this.#all.delete(connection as Connection)
    this.#strangers.delete(connection as Connection)
    if (this.#all.size === 0) {
      clearTimeout(this.#timer)
      this.#timer = undefined
    }
    const name = this.#countedAs.get(connection)
    if (name !== undefined) this.#perIdentity.delete(name)
    this.#countedAs.delete(connection)
  }

  #beat(): void {
    this.#timer = setTimeout(() => this.#beat(), PING_MS)
    const mostBeats = Math.max(1, Math.ceil(this.#options.stallMs / PING_MS))
    for (const connection of [...this.#all]) connection.beat(mostBeats)
  }
}

/** With the key: whoever may sign tokens with one chooses their identities, and would shut those of another key out. */
function countedNameOf({ keySid, serviceSid, identity }: Caller): string {
  return `${keySid}/${serviceSid}/${identity}`
}
