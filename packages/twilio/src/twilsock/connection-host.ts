import type { Caller, GatewayLog, OutboxCounts, TokenResult } from '@rivulet/gateway/protocol'
import type { StreamService } from '../streams/stream-service.ts'
import type { TwilsockHandler } from './socket.ts'

/** State and functions that all connections of a gateway share. */
export interface ConnectionHost {
  readonly streams: StreamService
  readonly accountSid: string
  readonly log: GatewayLog
  readonly limits: { readonly maxWaitingBytes: number; readonly maxSubscriptions: number }
  readonly counts: OutboxCounts & { subscriptions: number }
  /** Whether the gateway answers no more. */
  isClosed(): boolean
  verify(token: unknown): Promise<TokenResult>
  /** Gives the prefix under which a browser keeps what it knows of streams. */
  storageIdOf(caller: Caller): Promise<string>
  /**
   * Counts a connection of an identity, or counts it for another key that it has shown; `false` when that identity has as
   * many as it may have.
   */
  admit(connection: TwilsockHandler, caller: Caller): boolean
  /** A connection is over. Called once. */
  ended(connection: TwilsockHandler): void
}
