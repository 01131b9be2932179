import type { Caller } from '../access/caller.ts'
import type { Action } from '../access/grant.ts'
import { ApiError } from '../base/problem.ts'
import type { StreamRegistry } from '../registry/registry.ts'
import { hubNameOf, type StreamRecord } from '../registry/stream-record.ts'
import { decodeSegment } from './path.ts'

/** One request about the streams of a service, from somebody who is known. */
export interface Exchange {
  readonly request: Request
  readonly caller: Caller
  readonly serviceSid: string
  /** What stands for the stream in the path: a unique name or a sid, still percent-encoded. */
  readonly streamSegment: string
  /** Absolute, ends in `/Services`. */
  readonly servicesUrl: () => string
  /** Ends the client's connection, where the server lets the gateway do so. */
  readonly destroy: (() => void) | undefined
}

/** Throws 20403 unless the caller may do one of these to the stream; without a name, to any of the service. */
export function demand(exchange: Exchange, actions: readonly Action[], streamName?: string): void {
  const { caller, serviceSid } = exchange
  if (!actions.some((action) => caller.may(action, serviceSid, streamName))) throw new ApiError('forbidden')
}

/** Finds the stream that a path names. Throws 20403 first, then 20404: who may not ask learns nothing. */
export function demandStream(
  exchange: Exchange,
  registry: StreamRegistry,
  actions: readonly Action[],
): StreamRecord | Promise<StreamRecord> {
  const id = decodeSegment(exchange.streamSegment)
  if (id === undefined) throw new ApiError('notFound')
  const found = registry.find(exchange.serviceSid, id)
  // Publishing comes this way, so nothing is waited for without need.
  if (!(found instanceof Promise)) return allowed(exchange, actions, id, found)
  return found.then((record) => allowed(exchange, actions, id, record))
}

function allowed(
  exchange: Exchange,
  actions: readonly Action[],
  id: string,
  record: StreamRecord | undefined,
): StreamRecord {
  demand(exchange, actions, record === undefined ? id : hubNameOf(record))
  if (record === undefined) throw new ApiError('notFound')
  return record
}
