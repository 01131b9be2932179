import type { Clock, Environment } from '../base/environment.ts'
import type { Events } from '../base/events.ts'
import type { Fifo } from '../base/fifo.ts'
import type { SignalActions } from '../base/signals.ts'
import type { Turns } from '../base/turns.ts'
import type { RivuletError } from '../errors/errors.ts'
import { Refusal } from '../errors/refusal.ts'
import type { ReportPart } from '../errors/report.ts'
import type { Message } from '../message/message.ts'
import type { DeliverPart, Listener, Queued, Subscriber } from './deliver-part.ts'
import { LeakyBucket } from './leaky-bucket.ts'
import { Counters, type DropReason } from './ledger.ts'
import type { Handles, IdleWatch, LifetimePart } from './lifetime-part.ts'
import type { ResolvedOptions } from './options.ts'
import type { Origins } from './origins.ts'
import type { PublishPart, PublishQueue } from './publish-part.ts'
import { type ReceivePart, receivingBucket } from './receive-part.ts'
import type { Follow, Outbox, SendPart } from './send-part.ts'
import type { StreamEvents } from './stream-events.ts'

/** The sending side of a hub. */
export interface Sending {
  /** Prepares for a message at `nowMs`: it gets a new origin if receivers could no longer judge its lateness. */
  begin(state: StreamState, nowMs: number): void
  /** Takes a message that was accepted at `nowMs`; `wire` is the snapshot that was published. */
  add(state: StreamState, message: Message, wire: object, nowMs: number): void
  /** Calls `follow` when the message, which is accepted now, has reached the broker or will not. */
  follow(message: Message, follow: Follow): void
  /** Sends to the other processes that the stream was removed, after everything that it published. */
  addRemoval(state: StreamState): void
}

/** The receiving side of a hub. */
export interface Receiving {
  /** Joins or leaves the stream's topic to match whether anyone subscribes. */
  listen(state: StreamState, isWanted: boolean): void
}

/** The remaining time for kept values of `publishLatest` while their hub closes. */
export interface LastCapacity {
  /** The end of that time on the clock: the hub does not wait for later capacity. */
  readonly untilMs: number
  /** Streams with such values. */
  readonly streams: Set<StreamState>
  /** Called when there are no such streams any more. */
  done(): void
}

/** The part of a hub's state that `hub/` writes. */
export interface HubPart {
  isClosed: boolean
  /** The sending and the receiving side. Absent on a hub without a transport. */
  outboxes: Sending | undefined
  inboxes: Receiving | undefined
}

/** The part of a hub's state that `publish/` writes. */
export interface HubPublishPart {
  /** Streams with messages that wait until the hub is up for the first time. Absent once it was, and without a transport. */
  starting: Set<StreamState> | undefined
  /** Present while the hub closes and kept values may still get capacity: it was up when `close` was called, and is. */
  lastCapacity: LastCapacity | undefined
}

/**
 * The state of a hub that its streams share. Its functions and its two sides are implemented in folders that import
 * this one.
 */
export interface HubState extends Readonly<HubPart>, Readonly<HubPublishPart> {
  readonly name: string
  readonly environment: Environment
  readonly clock: Clock
  readonly origins: Origins
  /** Calls listeners in turn for events that did not happen in a call of the program. */
  readonly turns: Turns
  /** Actions that run when signals abort; streams may share a signal. */
  readonly signals: SignalActions
  /** The counts of all streams, closed ones included, and of frames that belong to none. */
  readonly totals: Counters
  readonly acceptsRemoval: boolean
  /** Returns whether a stream of that name is open. */
  isOpen(name: string): boolean
  /** Frees the name of a stream that has ended. */
  ended(state: StreamState): void
  /** Calls the hub's listeners when a stream was removed or has expired. */
  removed(state: StreamState, removal: StreamEvents['removed']): void
  /** Reports an error to the hub's listeners; returns false when there are none. */
  report(error: RivuletError): boolean
}

const NONE: never[] = []

/**
 * The state of one stream, for the functions of the other folders: one object, so that a publish reads all fields at
 * one place. It is composed of parts, each read by all folders and written by one: that folder uses the part's own
 * type, in which the fields are not `readonly`.
 */
export class StreamState
  implements
    Readonly<LifetimePart>,
    Readonly<PublishPart>,
    Readonly<DeliverPart>,
    Readonly<SendPart>,
    Readonly<ReceivePart>,
    Readonly<ReportPart>
{
  readonly name: string
  readonly hub: HubState
  readonly options: ResolvedOptions
  readonly counters: Counters
  /** The limit of publishes; absent without one. */
  readonly bucket: LeakyBucket | undefined = undefined
  /** The limit of messages that subscribers receive, those of other processes included. */
  readonly receiving: LeakyBucket | undefined = undefined

  readonly isClosed: boolean = false
  readonly isJoined: boolean
  readonly isRefused: boolean = false
  readonly hasEmittedJoined: boolean = false
  readonly publishQueue: PublishQueue | undefined = undefined
  readonly listeners: Listener[] = NONE
  readonly subscribers: (Subscriber | undefined)[] = NONE
  readonly isDelivering: boolean = false
  readonly queue: Fifo<Queued> | undefined = undefined
  readonly queued: number = 0
  readonly whenIdle: (() => void) | undefined = undefined
  readonly origin: string | undefined = undefined
  readonly sequence: number = 0
  readonly outbox: Outbox | undefined = undefined
  readonly events: Events<StreamEvents> | undefined = undefined
  readonly ttlSeconds: number = 0
  readonly expiresAtMs: number | undefined = undefined
  readonly cancelExpiry: (() => void) | undefined = undefined
  readonly idle: IdleWatch | undefined = undefined
  readonly handles: Handles | undefined = undefined
  readonly loggedMs: number = -Infinity
  readonly unlogged: number = 0
  readonly drops: Map<DropReason, number> | undefined = undefined
  readonly hasReportedDrop: boolean = false
  readonly hasReportedNewerFormat: boolean = false

  /** Each count is added to `totals`, too. */
  constructor(name: string, hub: HubState, options: ResolvedOptions, totals = hub.totals) {
    this.name = name
    this.hub = hub
    this.options = options
    this.counters = new Counters(totals)
    this.isJoined = hub.outboxes === undefined
    const { limit } = options
    if (limit === false) return
    this.bucket = new LeakyBucket(limit.ratePerSecond, limit.burst)
    if (hub.outboxes !== undefined && limit.scope === 'stream') this.receiving = receivingBucket(limit)
  }
}

export function closedRefusal(state: StreamState): Refusal {
  return new Refusal(state.hub.isClosed ? 'HUB_CLOSED' : 'STREAM_CLOSED', state)
}

/** Throws `STREAM_CLOSED` or `HUB_CLOSED` once the stream has ended. */
export function assertOpen(state: StreamState): void {
  if (state.isClosed) throw closedRefusal(state).error
}
