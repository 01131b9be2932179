import type { AsyncContext } from '../base/async-context.ts'
import type { Clock, Environment } from '../base/environment.ts'
import type { Events } from '../base/events.ts'
import type { Fifo } from '../base/fifo.ts'
import type { SignalActions } from '../base/signals.ts'
import type { Turns } from '../base/turns.ts'
import type { RivuletError } from './errors.ts'
import { LeakyBucket } from './leaky-bucket.ts'
import { Counters, type DropReason, type LossReason } from './ledger.ts'
import type { Message } from './message.ts'
import type { LimitOptions, ResolvedOptions } from './options.ts'
import type { Origins } from './origins.ts'
import { Refusal } from './refusal.ts'
import type { Topic } from './topic.ts'

/** Takes a message. May return a promise; its rejection is counted like a throw. */
export type Listener<Data = unknown> = (message: Message<Data>) => unknown

/** Why a stream ended other than by `close`. */
export type RemovalReason = 'removed' | 'expired'

/** A stream's lifecycle events, with what each one carries. */
export interface StreamEvents<Data = unknown> {
  /** A message was delivered to the subscribers. Listening for it joins no topic; subscribing does. */
  messagePublished: { readonly message: Message<Data>; readonly isLocal: boolean }
  /** A publish was refused. */
  refused: Refusal
  /** Accepted messages did not reach the broker. */
  lost: { readonly reason: LossReason; readonly count: number }
  /** Received messages were not delivered; gathered for a tick. */
  dropped: { readonly reason: DropReason; readonly count: number }
  /** The stream was removed or expired; `isLocal` is false when another process removed it. */
  removed: { readonly reason: RemovalReason; readonly isLocal: boolean }
  /**
   * A subscriber or listener threw, a source of the subject failed, the broker refused something, or this process's own
   * options keep messages out.
   */
  error: RivuletError
}

export const STREAM_EVENTS: readonly (keyof StreamEvents)[] = [
  'messagePublished',
  'refused',
  'lost',
  'dropped',
  'removed',
  'error',
]

/** A place in the fan-out of a stream. */
export interface Subscriber {
  /** Where its listener stands; −1 once it has left. Written by the fan-out only. */
  index: number
  /** Told that the topic is joined, or why the broker refused that. */
  joined(refusal: RivuletError | undefined): void
  /** Told that the stream ended; `reason` makes the error for whoever waits. */
  ended(reason: () => RivuletError): void
}

/** A checked message that waits for room in the bucket. */
export interface Waiter {
  /** The snapshot that is sent. */
  wire: object
  /** What subscribers get: the snapshot, or the output of the schema. */
  data: unknown
  /** That of the call that gave the data: the message is published in it. */
  context: AsyncContext
  /** Called when it leaves the line, before anything else happens. */
  leave(): void
  /** Told how it ended. */
  settle(outcome: Message | Refusal): void
}

/** The one line of waiters and kept values, first come first served. */
export interface Line {
  /** A Set keeps the order and deletes in the middle at O(1). */
  readonly waiters: Set<Waiter>
  /** Those of `publishLatest`, by their key. */
  readonly kept: Map<unknown, Waiter>
  /** Cancels the timer of the line, while one runs. */
  cancelTimer: (() => void) | undefined
}

/** A message that waits for the running fan-out to end; `wire` is the snapshot to send afterwards, if any. */
export interface Queued {
  readonly message: Message
  readonly wire: object | undefined
  readonly nowMs: number
  /** That of the call that published it: it is delivered in it. */
  readonly context: AsyncContext
}

/** What a stream sends, gathered until the end of the tick. */
export interface Outbox {
  readonly topic: Topic
  waiting: Outgoing[]
  /** When the first message was accepted: `t` counts from then. */
  readonly startMs: number
  /** The `t` of the last message. */
  tMs: number
  /** From the monotonic clock to the date, when the origin began. */
  dateOffsetMs: number
  hasReportedSize: boolean
}

/** A message on its way to the broker; `wire` is the snapshot that was published. */
export interface Outgoing {
  readonly message: Message
  readonly wire: object
  readonly tMs: number
}

/** What streams send by. */
export interface Sending {
  /** A message is accepted at `nowMs`: it gets a new origin if receivers could not tell any more how late it is. */
  begin(state: StreamState, nowMs: number): void
  /** Takes a message that was accepted at `nowMs`; `wire` is the snapshot that was published. */
  add(state: StreamState, message: Message, wire: object, nowMs: number): void
  /** Tells the other processes that the stream was removed, after everything that it published. */
  addRemoval(state: StreamState): void
}

/** What streams receive by. */
export interface Receiving {
  /** Joins or leaves the stream's topic: somebody subscribes now, or nobody does any more. */
  listen(state: StreamState, isWanted: boolean): void
}

/** What a stream knows of its hub. Its functions, and the two sides, stand for the folders above. */
export interface HubState {
  readonly name: string
  readonly environment: Environment
  readonly clock: Clock
  readonly origins: Origins
  /** Tells listeners of what did not happen in a call of the program's. */
  readonly turns: Turns
  /** What is to be done when signals abort, which may be shared by all streams. */
  readonly signals: SignalActions
  /** The counts of all streams, closed ones included, and of frames that belong to none. */
  readonly totals: Counters
  readonly acceptsRemoval: boolean
  isClosed: boolean
  /** The way to other processes and from them. Absent on a hub without a transport. */
  outboxes: Sending | undefined
  inboxes: Receiving | undefined
  /** A stream has ended: its name is free again. */
  ended(state: StreamState): void
  /** Tells the hub's listeners that a stream was removed or expired. */
  removed(state: StreamState, removal: StreamEvents['removed']): void
  /** Tells the hub's listeners of an error; false when there are none. */
  report(error: RivuletError): boolean
}

const NOBODY: never[] = []

/** Everything that one stream remembers: plain data that the verbs of the other folders take. */
export class StreamState {
  readonly name: string
  readonly hub: HubState
  readonly options: ResolvedOptions
  readonly counters: Counters
  /** What may be published; absent without a limit. */
  readonly bucket: LeakyBucket | undefined = undefined
  /** What subscribers may see, where messages of other processes count too. */
  readonly receiving: LeakyBucket | undefined = undefined
  isClosed = false
  /** Whether what other processes publish arrives. */
  isJoined: boolean
  line: Line | undefined = undefined
  /** Two arrays side by side, so that the fan-out's loop touches nothing but the functions that it calls. */
  listeners: Listener[] = NOBODY
  subscribers: (Subscriber | undefined)[] = NOBODY
  isDelivering = false
  queue: Fifo<Queued> | undefined = undefined
  /** How many were published inside the running fan-out, delivered or not. */
  queued = 0
  /** To be done when the running fan-out, and what waits for it, has ended. */
  whenIdle: (() => void) | undefined = undefined
  /** 16 hex digits, from the first message on. */
  origin: string | undefined = undefined
  sequence = 0
  outbox: Outbox | undefined = undefined
  events: Events<StreamEvents> | undefined = undefined
  ttlSeconds = 0
  expiresAtMs: number | undefined = undefined
  cancelExpiry: (() => void) | undefined = undefined
  /** When an error was last written to the console, and how many were not since. */
  loggedMs = -Infinity
  unlogged = 0
  /** Received messages that were dropped in this tick, by why, while somebody listens for it. */
  drops: Map<DropReason, number> | undefined = undefined
  /** Whether it was told that an option of this process keeps messages out. */
  hasToldDrop = false

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

/**
 * Makes the bucket of a receiver: for as many publishers as the limit says, with a second of tolerance, since networks
 * bunch what was published evenly. Clocks that run apart by up to 1 000 ppm do not use the second up: what the
 * publishers' own buckets admitted gets in.
 */
export function receivingBucket({ ratePerSecond, burst, publishers }: Required<LimitOptions>): LeakyBucket {
  return new LeakyBucket(1.001 * publishers * ratePerSecond, publishers * (burst + ratePerSecond))
}

/** The part of the burst that messages of other processes may fill, so that they cannot shut out our own. */
export function remoteCeilingOf(burst: number): number {
  return burst - Math.max(1, burst / 4)
}

export function closedRefusal(state: StreamState): Refusal {
  return new Refusal(state.hub.isClosed ? 'HUB_CLOSED' : 'STREAM_CLOSED', state)
}

/** Throws `STREAM_CLOSED` or `HUB_CLOSED` once the stream has ended. */
export function assertOpen(state: StreamState): void {
  if (state.isClosed) throw closedRefusal(state).error
}

/** Tells whether too many messages wait for the running fan-out to end: those it has delivered count, or two streams that echo each other would never end. */
export function isQueueFull(state: StreamState): boolean {
  return state.isDelivering && state.queued >= state.options.maxWaiting
}

export function originOf(state: StreamState): string {
  state.origin ??= state.hub.origins.next()
  return state.origin
}
