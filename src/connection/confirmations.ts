import { Overdue } from '../base/deadline.ts'
import { deferred } from '../base/deferred.ts'
import type { PlatformController } from '../base/platform-signal.ts'
import type { Topic } from '../message/topic.ts'
import type { Follow, Outbox } from '../state/send-part.ts'
import type { HubState, StreamState } from '../state/stream-state.ts'
import type { Timeouts } from '../state/timeouts.ts'
import type { Joins } from './joins.ts'
import { LinkRate } from './link-rate.ts'
import type { Transport } from './transport.ts'

/**
 * The shortest time between barriers, so that a fast publisher does not spend its time on them. A barrier is due sooner
 * after many bytes, of which the response to the last one would show little.
 */
const BARRIER_SPACING_MS = 20
/** After this many missed barriers in a row the connection is dead. */
const MISSES_TO_DOWN = 2
/** The same while frames arrive: on a slow link, which is not dead, the responses wait behind them. */
const MISSES_TO_DOWN_WHILE_RECEIVING = 30
/** A timer later than this shows that the process was suspended: it sent no bytes and read no responses. */
const STOOD_STILL_MS = 200
/** A barrier that is confirmed within this time shows that the link has no backlog. */
const PROMPT_MS = 1_000

/** The options of a hub that bound a connection. */
export interface ConnectionLimits {
  /** The most bytes in flight. */
  readonly maxInFlightBytes: number
  readonly timeouts: Timeouts
}

/** Messages that one barrier will confirm, by their streams. */
class Batch {
  // Two arrays side by side: an object for each frame costs a publisher on many streams a tenth of its time.
  readonly streams: StreamState[] = []
  readonly messages: number[] = []
  readonly settled = deferred()
  /** The number of messages with each outcome. */
  confirmed = 0
  unconfirmed = 0
  /** The followers of some of the messages, by their streams. Made with the first one: most messages have none. */
  #follows: Map<StreamState, Follow[]> | undefined

  follow(state: StreamState, follows: readonly Follow[]): void {
    this.#follows ??= new Map()
    const before = this.#follows.get(state)
    if (before === undefined) this.#follows.set(state, [...follows])
    else before.push(...follows)
  }

  /** `cause`: the reason why they are unconfirmed. */
  settle(outcome: 'confirmed' | 'unconfirmed', cause?: unknown): void {
    for (const index of this.streams.keys()) this.#end(index, outcome, cause)
    this.settled.resolve()
  }

  /** Settles the messages of a topic as unconfirmed: the backend refused one of them, without saying which. */
  doubt(topic: Topic | undefined, cause: unknown): void {
    for (const [index, { outbox }] of this.streams.entries()) {
      if ((outbox as Outbox).topic === topic) this.#end(index, 'unconfirmed', cause)
    }
  }

  #end(index: number, outcome: 'confirmed' | 'unconfirmed', cause: unknown): void {
    const state = this.streams[index] as StreamState
    const messages = this.messages[index] as number
    this.messages[index] = 0
    this[outcome] += messages
    state.counters.add('inFlight', -messages)
    state.counters.add(outcome, messages)
    const follows = this.#follows?.get(state)
    if (follows === undefined) return
    this.#follows?.delete(state)
    for (const follow of follows) follow(outcome, cause)
  }
}

/** A barrier that waits for its response. */
class Barrier {
  /** The messages that it confirms. */
  readonly batch: Batch
  readonly startMs: number
  /** The number of bytes sent on this connection before it. */
  readonly position: number
  readonly givenUp = new AbortController()

  constructor(batch: Batch, startMs: number, position: number) {
    this.batch = batch
    this.startMs = startMs
    this.position = position
  }
}

/**
 * Counts messages as in flight until a barrier confirms them, and bounds their bytes. Barriers are sent between frames,
 * so that each response shows progress on a slow link. `start` and `stop` go with each connection.
 */
export class Confirmations {
  /** The start of the last barrier that was confirmed promptly: messages that arrived later had not waited on our link. */
  promptStartMs = -Infinity
  /** The same as a date: messages that were sent before it have arrived. */
  promptStartDateMs = -Infinity
  readonly #hub: HubState
  readonly #transport: Transport
  readonly #maxBytes: number
  readonly #timeouts: Timeouts
  readonly #joins: Joins
  #rate: LinkRate
  /** Messages sent since the last barrier began. */
  #pending = new Batch()
  /** Barriers without a response, the oldest first. */
  readonly #barriers: Barrier[] = []
  /** Bytes sent on this connection: in all, before the last barrier, and before the last confirmed one. */
  #sent = 0
  #covered = 0
  #answered = 0
  #misses = 0
  #lastStartMs = -Infinity
  #cancelTimer: (() => void) | undefined
  /** Whether the running timer is for a barrier that is needed, not only for the idle check. */
  #isTimerUrgent = false
  #cancelDeadline: (() => void) | undefined
  /** Whether the backend accepts no more until the waiting barriers are confirmed. */
  #isCongested = false
  /** Whether a frame arrived since the current deadline was set. */
  #hasReceived = false
  /** Absent while not connected. */
  #connection: AbortController | undefined

  constructor(hub: HubState, transport: Transport, limits: ConnectionLimits, joins: Joins) {
    this.#hub = hub
    this.#transport = transport
    this.#maxBytes = limits.maxInFlightBytes
    this.#timeouts = limits.timeouts
    this.#joins = joins
    this.#rate = new LinkRate(this.#maxBytes)
  }

  /** Whether the last barrier missed its deadline: messages that arrive now may have waited on a frozen link. */
  get isOverdue(): boolean {
    return this.#misses > 0
  }

  /** The largest frame of several messages, in bytes; small enough for frequent responses to barriers. */
  get chunkBytes(): number {
    return this.#rate.chunkBytes
  }

  /** Returns whether a frame of this size may be sent. A slow link takes one of any size while nothing is in flight. */
  hasCapacity(bytes: number): boolean {
    const inFlight = this.#sent - this.#answered
    if (this.#isCongested && inFlight > 0) return false
    if (inFlight + bytes <= this.#rate.windowBytes) return true
    return inFlight === 0 && bytes <= this.#maxBytes
  }

  /** Adds a sent frame: its messages, its bytes, and the followers of some of its messages. */
  add(state: StreamState, messages: number, bytes: number, follows?: readonly Follow[]): void {
    if (follows !== undefined) this.#pending.follow(state, follows)
    this.#sent += bytes
    const { streams, messages: counts } = this.#pending
    if (streams.at(-1) === state) (counts[counts.length - 1] as number) += messages
    else {
      streams.push(state)
      counts.push(messages)
    }
    if (this.#rate.isBarrierDue(this.#sent - this.#covered)) this.#run()
    else this.schedule()
  }

  /** Called when a frame arrives. */
  received(): void {
    this.#hasReceived = true
  }

  /** Called when the backend makes progress with the waiting barriers; `isCongested`: it accepts no more meanwhile. */
  progressed(isCongested: boolean): void {
    if (this.#barriers.length === 0) return
    this.#isCongested = isCongested
    this.#setDeadline()
  }

  /** Called when the backend refused a frame, on this topic if it names one: messages in flight there become unconfirmed. */
  doubt(topic: Topic | undefined, cause: unknown): void {
    this.#pending.doubt(topic, cause)
    for (const { batch } of this.#barriers) batch.doubt(topic, cause)
  }

  /** Resolves when all messages added so far are confirmed or unconfirmed, to the number of each. */
  async settled(): Promise<{ confirmed: number; unconfirmed: number }> {
    const batches = this.#barriers.map(({ batch }) => batch)
    const newest = batches.at(-1)
    const last = this.#pending.streams.length > 0 ? this.#pending : newest
    if (last !== undefined && last !== newest) batches.push(last)
    await newest?.settled.promise
    if (last === this.#pending) this.#run() // waits for no timer: fake ones may never fire
    const sum = { confirmed: 0, unconfirmed: 0 }
    for (const batch of batches) {
      await batch.settled.promise
      sum.confirmed += batch.confirmed
      sum.unconfirmed += batch.unconfirmed
    }
    return sum
  }

  /** Called when a connection is open; it is aborted when two barriers in a row are missed. */
  start(connection: PlatformController): void {
    this.#connection = connection
    this.schedule()
  }

  /** Called when the connection is lost: messages in flight become unconfirmed. */
  stop(): void {
    const reason = this.#connection?.signal.reason
    this.#stopTimer()
    this.#connection = undefined
    for (const { batch, givenUp } of this.#barriers.splice(0)) {
      batch.settle('unconfirmed', reason)
      givenUp.abort(reason)
    }
    this.#pending.settle('unconfirmed', reason)
    this.#pending = new Batch()
    this.#setDeadline()
    this.#rate = new LinkRate(this.#maxBytes)
    this.#sent = 0
    this.#covered = 0
    this.#answered = 0
    this.#misses = 0
    this.#isCongested = false
  }

  /**
   * Schedules the next barrier: after 20 ms while messages are in flight, when the last one was missed (to check the
   * connection) or when `isAskedFor`; after `idleMs` while a topic is joined.
   */
  schedule(isAskedFor = false): void {
    if (this.#barriers.length > 0 || this.#isTimerUrgent || this.#connection === undefined) return
    const isUrgent = isAskedFor || this.#pending.streams.length > 0 || this.#misses > 0
    if (!isUrgent && (this.#cancelTimer !== undefined || this.#joins.size === 0)) return
    this.#stopTimer()
    this.#isTimerUrgent = isUrgent
    const spacingMs = isUrgent ? BARRIER_SPACING_MS : this.#timeouts.idleMs
    const waitMs = Math.max(0, this.#lastStartMs + spacingMs - this.#hub.clock.nowMs())
    this.#cancelTimer = this.#hub.environment.setTimer(() => this.#run(), waitMs, isUrgent)
  }

  #run(): void {
    this.#stopTimer()
    if (this.#connection === undefined || this.#connection.signal.aborted) return
    const startMs = this.#hub.clock.nowMs()
    const barrier = new Barrier(this.#pending, startMs, this.#sent)
    this.#pending = new Batch()
    this.#lastStartMs = startMs
    this.#covered = this.#sent
    if (this.#barriers.push(barrier) === 1) {
      this.#rate.begin(startMs, this.#answered)
      this.#setDeadline()
    }
    const flush = async () => this.#transport.flush(barrier.givenUp.signal)
    flush().then(
      () => this.#end(barrier, undefined),
      (cause: unknown) => this.#end(barrier, cause ?? new Error('the barrier failed')),
    )
  }

  /** Ends a barrier that is confirmed or, with a cause, failed; unless it has ended already. */
  #end(barrier: Barrier, cause: unknown): void {
    const nth = this.#barriers.indexOf(barrier)
    if (nth === -1 || this.#connection?.signal.aborted !== false) return
    if (cause === undefined) this.#confirm(barrier, this.#barriers.splice(0, nth + 1))
    else this.#miss(this.#barriers.splice(nth, 1)[0] as Barrier, cause)
  }

  /** A response confirms the earlier barriers, too: the backend has everything that was sent before. */
  #confirm({ startMs, position }: Barrier, answered: readonly Barrier[]): void {
    const nowMs = this.#hub.clock.nowMs()
    this.#misses = 0
    this.#answered = position
    if (this.#barriers.length === 0) this.#isCongested = false
    this.#rate.answered({ startMs, position }, nowMs)
    if (nowMs - startMs <= PROMPT_MS) {
      this.promptStartMs = startMs
      this.promptStartDateMs = startMs + this.#hub.clock.dateOffsetMs(nowMs)
    }
    for (const { batch } of answered) batch.settle('confirmed')
    this.#setDeadline()
    this.schedule()
  }

  #miss({ batch, givenUp }: Barrier, cause: unknown): void {
    const most = this.#hasReceived ? MISSES_TO_DOWN_WHILE_RECEIVING : MISSES_TO_DOWN
    this.#misses++
    this.#rate.missed()
    batch.settle('unconfirmed', cause)
    givenUp.abort(cause)
    this.#setDeadline()
    this.schedule()
    if (this.#misses >= most) this.#connection?.abort(cause)
  }

  /**
   * Sets the deadline of the oldest barrier. It is set anew at each response, while the client's buffer drains, and
   * once after the process was suspended.
   */
  #setDeadline(hasStoodStill = false): void {
    this.#cancelDeadline?.()
    this.#cancelDeadline = undefined
    this.#hasReceived = false
    if (this.#barriers.length === 0) return
    const setMs = this.#hub.clock.nowMs()
    const halfMs = this.#timeouts.barrierMs / 2
    const after = (dueMs: number, check: () => void) => {
      const act = () => {
        const isLate = this.#hub.clock.nowMs() - setMs - dueMs > STOOD_STILL_MS
        if (isLate && !hasStoodStill) this.#standStill(setMs)
        else check()
      }
      this.#cancelDeadline = this.#hub.environment.setTimer(act, halfMs, true)
    }
    after(halfMs, () => {
      const buffered = this.#readBufferedBytes()
      const left = this.#sent - buffered
      const isDraining = () => buffered > 0 && this.#sent - this.#readBufferedBytes() > left
      after(2 * halfMs, () => (isDraining() ? this.#setDeadline() : this.#expire()))
    })
  }

  /** Extends the deadline after the process was suspended. Messages that arrive now may be old if it would have passed. */
  #standStill(setMs: number): void {
    if (this.#hub.clock.nowMs() - setMs >= this.#timeouts.barrierMs) this.#misses = Math.max(1, this.#misses)
    this.#setDeadline(true)
  }

  #expire(): void {
    const barrier = this.#barriers.shift()
    if (barrier !== undefined) this.#miss(barrier, new Overdue('The barrier', this.#timeouts.barrierMs))
  }

  /** Returns the bytes that the client buffers, as far as the transport knows. */
  #readBufferedBytes(): number {
    try {
      return this.#transport.bufferedBytes?.() ?? 0
    } catch {
      return 0
    }
  }

  #stopTimer(): void {
    this.#cancelTimer?.()
    this.#cancelTimer = undefined
    this.#isTimerUrgent = false
  }
}
