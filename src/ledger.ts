import type { RefusalCode } from './refusal.ts'

/**
 * Where every publish attempt and every received message ended, as plain numbers. Always true:
 *
 * - `attempts = accepted + Σ refused + conflated + waiting`
 * - `accepted = local + confirmed + inFlight + unconfirmed + Σ lost`
 * - `received = delivered + Σ dropped` (a frame that was not decoded counts as one message)
 */
export interface Ledger {
  /** Calls of publish, tryPublish, publishWhenReady and publishLatest, and `subject.next`. */
  readonly attempts: number
  /** Attempts that were delivered to the subscribers in this process. */
  readonly accepted: number
  /** Attempts that were refused, by why. */
  readonly refused: {
    readonly invalidData: number
    readonly tooLarge: number
    readonly schema: number
    readonly rateLimited: number
    readonly waitingLineFull: number
    readonly aborted: number
    readonly closed: number
  }
  /** Kept values of `publishLatest` that a newer one replaced. */
  readonly conflated: number
  /** Attempts that stand in line now. */
  readonly waiting: number
  /** Accepted on a hub without a transport. */
  readonly local: number
  /** Accepted, and the broker has them: a barrier after them was answered. */
  readonly confirmed: number
  /** Accepted, and neither confirmed nor lost yet. */
  readonly inFlight: number
  /** Accepted and handed over, but the barrier after them was not answered: they may or may not have arrived. */
  readonly unconfirmed: number
  /** Accepted and delivered in this process, but not handed to the broker. */
  readonly lost: {
    /** The broker was away, or not there yet. */
    readonly offline: number
    /** More than `maxInFlightBytes` were on their way already. */
    readonly congested: number
    /** The frame was over the broker's limit, or the transport failed. */
    readonly failed: number
  }
  /** Messages from other processes, and undecoded frames. */
  readonly received: number
  /** Received and handed to the subscribers. */
  readonly delivered: number
  /** Received, and not handed to the subscribers, by why. */
  readonly dropped: {
    readonly malformed: number
    readonly tooLarge: number
    readonly echo: number
    readonly duplicate: number
    readonly stale: number
    readonly schema: number
    readonly rateLimited: number
    readonly notJoined: number
  }
  /** Numbers that other publishers gave and that did not arrive during a join, less those that came late. */
  readonly missed: number
  /** Messages that arrived after a later one of the same publisher. */
  readonly reordered: number
  /** Throws and rejections of subscribers and event listeners. */
  readonly listenerErrors: number
  /** Messages that the bounded buffers of iterators gave up. */
  readonly iteratorDrops: number
  /** Subscribers now, iterators and observers of `messages$` included. */
  readonly subscribers: number
}

/** A counter's name: a member of {@link Ledger}, nested ones joined. */
export type CounterName = Exclude<
  keyof Counters,
  'ledger' | 'count' | 'receive' | 'attempt' | 'leftLine' | 'foldInto' | 'addTo' | 'refused'
>

/** How an attempt that was not accepted ended, or that it waits. */
type Attempted = Extract<CounterName, `refused${string}` | 'conflated' | 'waiting'>

/** The numbers behind a ledger. Mutable, and flat so that counting costs one addition. */
export class Counters {
  attempts = 0
  accepted = 0
  refusedInvalidData = 0
  refusedTooLarge = 0
  refusedSchema = 0
  refusedRateLimited = 0
  refusedWaitingLineFull = 0
  refusedAborted = 0
  refusedClosed = 0
  conflated = 0
  waiting = 0
  local = 0
  confirmed = 0
  inFlight = 0
  unconfirmed = 0
  lostOffline = 0
  lostCongested = 0
  lostFailed = 0
  received = 0
  delivered = 0
  droppedMalformed = 0
  droppedTooLarge = 0
  droppedEcho = 0
  droppedDuplicate = 0
  droppedStale = 0
  droppedSchema = 0
  droppedRateLimited = 0
  droppedNotJoined = 0
  missed = 0
  reordered = 0
  listenerErrors = 0
  iteratorDrops = 0
  subscribers = 0
  /** Set once the stream is closed: the hub's totals, which what still happens must reach too. */
  #total: Counters | undefined

  /** Adds to a counter, and to the hub's totals when the stream is closed. */
  count(name: CounterName, amount = 1): void {
    this[name] += amount
    if (this.#total !== undefined) this.#total[name] += amount
  }

  /** Counts an attempt with how it ended, both or, when the stack is exhausted, neither. */
  attempt(outcome: Attempted): void {
    this.attempts++
    this[outcome]++
    if (this.#total === undefined) return
    this.#total.attempts++
    this.#total[outcome]++
  }

  /** Counts a message from outside with where it ended. */
  receive(outcome: CounterName): void {
    this.count('received')
    this.count(outcome)
  }

  /** Counts a refused attempt. */
  refused(code: RefusalCode): void {
    this.attempt(REFUSED[code])
  }

  /** Takes back an attempt that stood in line, to be counted again with how it ended. */
  leftLine(): void {
    this.count('attempts', -1)
    this.count('waiting', -1)
  }

  /** Adds everything to the hub's totals for closed streams; from now on `count` adds there too. */
  foldInto(total: Counters): void {
    this.addTo(total)
    this.#total = total
  }

  addTo(total: Counters): void {
    for (const name of Object.keys(this) as CounterName[]) total[name] += this[name]
  }

  ledger(): Ledger {
    const { attempts, accepted, conflated, waiting, local, confirmed, inFlight, unconfirmed } = this
    const { received, delivered, missed, reordered, listenerErrors, iteratorDrops, subscribers } = this
    const refused = {
      invalidData: this.refusedInvalidData,
      tooLarge: this.refusedTooLarge,
      schema: this.refusedSchema,
      rateLimited: this.refusedRateLimited,
      waitingLineFull: this.refusedWaitingLineFull,
      aborted: this.refusedAborted,
      closed: this.refusedClosed,
    }
    const lost = { offline: this.lostOffline, congested: this.lostCongested, failed: this.lostFailed }
    const outbound = { accepted, refused, conflated, waiting, local, confirmed, inFlight, unconfirmed, lost }
    const inbound = { received, delivered, dropped: this.#dropped(), missed, reordered }
    return { attempts, ...outbound, ...inbound, listenerErrors, iteratorDrops, subscribers }
  }

  #dropped(): Ledger['dropped'] {
    return {
      malformed: this.droppedMalformed,
      tooLarge: this.droppedTooLarge,
      echo: this.droppedEcho,
      duplicate: this.droppedDuplicate,
      stale: this.droppedStale,
      schema: this.droppedSchema,
      rateLimited: this.droppedRateLimited,
      notJoined: this.droppedNotJoined,
    }
  }
}

const REFUSED: Record<RefusalCode, Attempted> = {
  INVALID_DATA: 'refusedInvalidData',
  PAYLOAD_TOO_LARGE: 'refusedTooLarge',
  SCHEMA_MISMATCH: 'refusedSchema',
  INVALID_OPTIONS: 'refusedSchema',
  RATE_LIMITED: 'refusedRateLimited',
  WAITING_LINE_FULL: 'refusedWaitingLineFull',
  STREAM_CLOSED: 'refusedClosed',
  HUB_CLOSED: 'refusedClosed',
}
