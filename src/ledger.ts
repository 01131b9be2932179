import type { RefusalCode } from './refusal.ts'

/** The numbers of a {@link Ledger}, to be counted up: plain fields, so that counting costs one addition. */
class Counts {
  /** Calls of publish, tryPublish, publishWhenReady and publishLatest, and `subject.next`. */
  attempts = 0
  /** Attempts that were delivered to the subscribers in this process. */
  accepted = 0
  /** Attempts that were refused, by why. */
  readonly refused = {
    invalidData: 0,
    tooLarge: 0,
    schema: 0,
    rateLimited: 0,
    waitingLineFull: 0,
    aborted: 0,
    closed: 0,
  }
  /** Kept values of `publishLatest` that a newer one replaced. */
  conflated = 0
  /** Attempts that stand in line now. */
  waiting = 0
  /** Accepted on a hub without a transport. */
  local = 0
  /** Accepted, and the broker has them: a barrier after them was answered. */
  confirmed = 0
  /** Accepted, and neither confirmed nor lost yet. */
  inFlight = 0
  /** Accepted and handed over, but the barrier after them was not answered: they may or may not have arrived. */
  unconfirmed = 0
  /** Accepted and delivered in this process, but not handed to the broker. */
  readonly lost = {
    /** The broker was away, or not there yet. */
    offline: 0,
    /** More than `maxInFlightBytes` were on their way already. */
    congested: 0,
    /** The frame was over the broker's limit, or the transport failed. */
    failed: 0,
  }
  /** Messages from other processes, and undecoded frames. */
  received = 0
  /** Received and handed to the subscribers. */
  delivered = 0
  /** Received, and not handed to the subscribers, by why. */
  readonly dropped = {
    malformed: 0,
    tooLarge: 0,
    echo: 0,
    duplicate: 0,
    stale: 0,
    schema: 0,
    rateLimited: 0,
    notJoined: 0,
  }
  /** Numbers that other publishers gave and that did not arrive during a join, less those that came late. */
  missed = 0
  /** Messages that arrived after a later one of the same publisher. */
  reordered = 0
  /** Throws and rejections of subscribers and event listeners. */
  listenerErrors = 0
  /** Messages that the bounded buffers of iterators gave up. */
  iteratorDrops = 0
  /** Subscribers now, iterators and observers of `messages$` included. */
  subscribers = 0
}

/**
 * Where every publish attempt and every received message ended, as plain numbers. Always true:
 *
 * - `attempts = accepted + Σ refused + conflated + waiting`
 * - `accepted = local + confirmed + inFlight + unconfirmed + Σ lost`
 * - `received = delivered + Σ dropped` (a frame that was not decoded counts as one message)
 */
export type Ledger = { readonly [Name in keyof Counts]: Readonly<Counts[Name]> }

/** Why a received message was not handed to the subscribers. */
export type DropReason = keyof Counts['dropped']

/** Counts for one stream, or what a hub adds up. */
export class Counters extends Counts {
  /** Set once the stream is closed: the hub's totals, which what still happens must reach too. */
  #total: Counts | undefined

  /**
   * Changes counters, also in the hub's totals when the stream is closed. `change` calls nothing: it happens as a
   * whole or, when the stack is exhausted, not at all.
   */
  count(change: (counts: Counts) => void): void {
    change(this)
    if (this.#total !== undefined) change(this.#total)
  }

  /** Counts an attempt that was not accepted, or not yet. */
  attempt(outcome: 'conflated' | 'waiting'): void {
    this.count((counts) => {
      counts.attempts++
      counts[outcome]++
    })
  }

  /** Takes back an attempt that stood in line, to be counted again with how it ended. */
  leftLine(): void {
    this.count((counts) => {
      counts.attempts--
      counts.waiting--
    })
  }

  /** Counts a refused attempt. Without a call, since it may happen a million times a second. */
  refuse(code: RefusalCode | 'ABORTED'): void {
    const reason = REFUSED[code]
    const total = this.#total
    this.attempts++
    this.refused[reason]++
    if (total === undefined) return
    total.attempts++
    total.refused[reason]++
  }

  /** Counts a message from outside that is handed to the subscribers, which a closed stream does not have. */
  deliver(): void {
    this.received++
    this.delivered++
  }

  /** Counts a message from outside that is not. */
  drop(reason: DropReason): void {
    const total = this.#total
    this.received++
    this.dropped[reason]++
    if (total === undefined) return
    total.received++
    total.dropped[reason]++
  }

  /** Adds everything to the hub's totals for closed streams; from now on `count` adds there too. */
  foldInto(total: Counters): void {
    this.addTo(total)
    this.#total = total
  }

  addTo(total: Counters): void {
    add(this, total)
  }

  ledger(): Ledger {
    const { refused, lost, dropped } = this
    return { ...this, refused: { ...refused }, lost: { ...lost }, dropped: { ...dropped } }
  }
}

const REFUSED: Record<RefusalCode | 'ABORTED', keyof Counts['refused']> = {
  INVALID_DATA: 'invalidData',
  PAYLOAD_TOO_LARGE: 'tooLarge',
  SCHEMA_MISMATCH: 'schema',
  INVALID_OPTIONS: 'schema',
  RATE_LIMITED: 'rateLimited',
  WAITING_LINE_FULL: 'waitingLineFull',
  ABORTED: 'aborted',
  STREAM_CLOSED: 'closed',
  HUB_CLOSED: 'closed',
}

function add(counts: object, total: object): void {
  const sums = total as Record<string, number | object>
  for (const [name, value] of Object.entries(counts)) {
    if (typeof value === 'number') (sums[name] as number) += value
    else add(value, sums[name] as object)
  }
}
