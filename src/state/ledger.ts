import type { RefusalCode } from '../errors/refusal.ts'

/** The counts of refused attempts. */
const REFUSED = {
  INVALID_DATA: 'invalidData',
  PAYLOAD_TOO_LARGE: 'tooLarge',
  SCHEMA_MISMATCH: 'schema',
  INVALID_OPTIONS: 'schema',
  RATE_LIMITED: 'rateLimited',
  QUEUE_FULL: 'queueFull',
  ABORTED: 'aborted',
  STREAM_CLOSED: 'closed',
  HUB_CLOSED: 'closed',
} as const satisfies Record<RefusalCode | 'ABORTED', string>

type RefusedCounts = Record<(typeof REFUSED)[keyof typeof REFUSED], number>

const NONE_REFUSED = Object.freeze(
  Object.fromEntries(Object.values(REFUSED).map((name) => [name, 0])),
) as RefusedCounts
const NONE_LOST = Object.freeze({
  /** The broker was away, or not there yet. */
  offline: 0,
  /** More than `maxInFlightBytes` were in flight already. */
  congested: 0,
  /** The frame was over the broker's limit, or the transport failed. */
  failed: 0,
})
const NONE_DROPPED = Object.freeze({
  /** No message, or a frame over the limits of the format. */
  malformed: 0,
  /** Of a newer version of the format than this edition reads. */
  newerFormat: 0,
  /** Larger than this process's `maxBytes`. */
  tooLarge: 0,
  /** Published by this hub itself. */
  echo: 0,
  /** Received before, or too old to decide. */
  duplicate: 0,
  /** Later than `maxAgeMs`. */
  stale: 0,
  /** Refused by this process's schema. */
  schema: 0,
  /** Over this process's rate limit. */
  rateLimited: 0,
  /** Arrived while there was no subscriber. */
  notJoined: 0,
})

/** The reason why a message did not reach the broker. */
export type LossReason = keyof typeof NONE_LOST
/** The reason why a received message was not delivered to the subscribers. */
export type DropReason = keyof typeof NONE_DROPPED

/** The mutable numbers of a {@link Ledger}: plain fields, so that counting costs one addition. */
class Counts {
  /** Calls of publish, tryPublish, publishWhenReady and publishLatest, and `subject.next`. */
  attempts = 0
  /** Attempts that were delivered to the subscribers in this process. */
  accepted = 0
  /** Attempts that were refused, by reason. */
  refused: RefusedCounts = NONE_REFUSED
  /** Kept values of `publishLatest` that a newer one replaced. */
  conflated = 0
  /** Attempts in the queue now. */
  waiting = 0
  /** Accepted on a hub without a transport. */
  local = 0
  /** Accepted, and the broker has them: a later barrier was confirmed. */
  confirmed = 0
  /** Accepted, and neither confirmed nor lost yet. */
  inFlight = 0
  /**
   * Accepted and sent, but the next barrier was not confirmed, or the broker refused a frame of their stream: they may
   * or may not have arrived.
   */
  unconfirmed = 0
  /** Accepted and delivered in this process, but not sent to the broker, by reason. */
  lost: Record<LossReason, number> = NONE_LOST
  /** Removals of streams that did not reach the broker, not even at the second try. */
  lostRemovals = 0
  /** Messages from other processes, and undecoded frames. */
  received = 0
  /** Received and delivered to the subscribers. */
  delivered = 0
  /** Received, and not delivered to the subscribers, by reason. */
  dropped: Record<DropReason, number> = NONE_DROPPED
  /** Numbers of other publishers that did not arrive during a join, less those that came late. */
  missed = 0
  /**
   * Numbers that publishers used while a join was interrupted, as by a lost connection, less those that came late: from
   * the last number before the interruption to the first one after it. Not in `missed`.
   */
  missedAway = 0
  /** Messages that arrived after a later one of the same publisher. */
  reordered = 0
  /** Evicted publishers with a message in the last minute: more published than the hub remembers. */
  evictedPublishers = 0
  /** Throws and rejections of subscribers and event listeners. */
  listenerErrors = 0
  /** Messages that the bounded buffers of iterators dropped. */
  iteratorDrops = 0
  /** Subscribers now, iterators and observers of `messages$` included. */
  subscribers = 0
}

/**
 * The outcomes of all publish attempts and all received messages, as plain numbers. Always true:
 *
 * - `attempts = accepted + Σ refused + conflated + waiting`
 * - `accepted = local + confirmed + inFlight + unconfirmed + Σ lost`
 * - `received = delivered + Σ dropped` (a frame that was not decoded counts as one message)
 */
export type Ledger = { readonly [Name in keyof Counts]: Readonly<Counts[Name]> }

type PlainCount = { [Name in keyof Counts]: Counts[Name] extends number ? Name : never }[keyof Counts]

/**
 * Counts for one stream, and for its hub in `total`, so that no program adds up thousands of streams. The three groups
 * share a frozen object of zeros until they are needed, so that a stream is small.
 */
export class Counters extends Counts {
  readonly #total: Counters | undefined
  /** The last snapshot, until something is counted. */
  #ledger: Ledger | undefined

  constructor(total?: Counters) {
    super()
    this.#total = total
  }

  /** Adds to a counter, or takes from it. */
  add(name: PlainCount, count: number): void {
    this.#ledger = undefined
    this[name] += count
    this.#total?.add(name, count)
  }

  /** Counts an accepted message, which is in flight unless it is local. */
  accept(isLocal: boolean): void {
    Counters.#accepted(this, isLocal)
    if (this.#total !== undefined) Counters.#accepted(this.#total, isLocal)
  }

  /** Counts a received message that is delivered to the subscribers. */
  deliver(): void {
    Counters.#delivered(this)
    if (this.#total !== undefined) Counters.#delivered(this.#total)
  }

  // These two count every message: an engine inlines them, but not a method that calls itself on the total.
  static #accepted(counters: Counters, isLocal: boolean): void {
    counters.#ledger = undefined
    counters.attempts++
    counters.accepted++
    if (isLocal) counters.local++
    else counters.inFlight++
  }

  static #delivered(counters: Counters): void {
    counters.#ledger = undefined
    counters.received++
    counters.delivered++
  }

  /** Counts a refused attempt. */
  refuse(code: RefusalCode | 'ABORTED'): void {
    this.#ledger = undefined
    this.attempts++
    if (this.refused === NONE_REFUSED) this.refused = { ...NONE_REFUSED }
    this.refused[REFUSED[code]]++
    this.#total?.refuse(code)
  }

  /** Counts received messages that are not delivered. */
  drop(reason: DropReason): void {
    this.#ledger = undefined
    this.received++
    if (this.dropped === NONE_DROPPED) this.dropped = { ...NONE_DROPPED }
    this.dropped[reason]++
    this.#total?.drop(reason)
  }

  /** Counts accepted messages as no longer in flight: they did not reach the broker. */
  lose(reason: LossReason, count: number): void {
    this.#ledger = undefined
    this.inFlight -= count
    if (this.lost === NONE_LOST) this.lost = { ...NONE_LOST }
    this.lost[reason] += count
    this.#total?.lose(reason, count)
  }

  /** Returns the current numbers; the same object as last time when nothing was counted since. */
  ledger(): Ledger {
    this.#ledger ??= Object.freeze({
      ...this,
      refused: Object.freeze({ ...this.refused }),
      lost: Object.freeze({ ...this.lost }),
      dropped: Object.freeze({ ...this.dropped }),
    })
    return this.#ledger
  }
}
