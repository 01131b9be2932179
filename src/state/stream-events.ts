import type { RivuletError } from '../errors/errors.ts'
import type { Refusal } from '../errors/refusal.ts'
import type { Message } from '../message/message.ts'
import type { DropReason, LossReason } from './ledger.ts'

/** The reason of the end of a stream other than by `close`. */
export type RemovalReason = 'removed' | 'expired'

/**
 * The reason of the end of a stream: `close` was called, its last handle was released, it was idle for
 * `idleTtlSeconds`, its time to live was over, `remove` was called here or in another process, or its hub was closed.
 */
export type CloseReason = 'closed' | 'released' | 'idle' | RemovalReason | 'hubClosed'

/** A stream's lifecycle events, with the payload of each. */
export interface StreamEvents<Data = unknown> {
  /** A message was delivered to the subscribers. Listening for it joins no topic; subscribing does. */
  messagePublished: { readonly message: Message<Data>; readonly isLocal: boolean }
  /** A publish was refused. */
  refused: Refusal
  /**
   * The broker has confirmed the stream's join: messages that other processes publish from now on arrive. Emitted again
   * whenever the join was made anew, as after a reconnect or a refusal. On a hub without a transport it comes with the
   * first subscriber.
   */
  joined: { readonly isFirst: boolean }
  /** Accepted messages did not reach the broker; `sids` has each of them, 64 at the most. */
  lost: { readonly reason: LossReason; readonly count: number; readonly sids: readonly string[] }
  /** Received messages were not delivered; gathered for a tick. */
  dropped: { readonly reason: DropReason; readonly count: number }
  /**
   * Messages of other processes may be missing: load their data again. Emitted once the topic is joined again after an
   * interruption, with `missed` 0, since the number is not known yet; and whenever numbers of publishers then show that
   * messages were missed, with their number. `sinceMs` is the last time until which every message had arrived, as
   * `Date.now` counts. Gathered for a tick.
   */
  gap: { readonly missed: number; readonly sinceMs: number }
  /** The stream was removed or expired; `isLocal` is false when another process removed it. */
  removed: { readonly reason: RemovalReason; readonly isLocal: boolean }
  /**
   * The stream has ended: the last event of every stream, emitted once, after `removed`. `isLocal` is false when
   * another process removed it.
   */
  closed: { readonly reason: CloseReason; readonly isLocal: boolean }
  /**
   * A subscriber or listener threw, a source of the subject failed, the broker refused a frame or a join, or options of
   * this process keep messages out.
   */
  error: RivuletError
}

export const STREAM_EVENTS: readonly (keyof StreamEvents)[] = [
  'messagePublished',
  'refused',
  'joined',
  'lost',
  'dropped',
  'gap',
  'removed',
  'closed',
  'error',
]
