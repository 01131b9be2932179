import { Overdue } from '../base/deadline.ts'
import { deferred } from '../base/deferred.ts'
import type { PlatformController } from '../base/platform-signal.ts'
import type { HubState, Outbox, StreamState } from '../model/stream-state.ts'
import type { Timeouts } from '../model/timeouts.ts'
import type { Topic } from '../model/topic.ts'
import type { Transport } from '../model/transport.ts'
import type { Joins } from './joins.ts'
import { LinkRate } from './link-rate.ts'

/**
 * Barriers are at least this far apart, so that a fast publisher does not spend its time on them; unless so much was sent
 * since the last one that its answer would say little about what came after it.
 */
const BARRIER_SPACING_MS = 20
/** So many missed barriers in a row mean that the connection is dead. */
const MISSES_TO_DOWN = 2
/** So many while frames come in: the answers wait behind these on a slow link, which is not dead. */
const MISSES_TO_DOWN_WHILE_HEARING = 30
/** A timer that is later than this: the process stood still, so bytes have not left, and answers were not read. */
const STOOD_STILL_MS = 200
/** A barrier that is answered within this shows that no backlog waits on the link. */
const PROMPT_MS = 1_000

/** What of a hub's options bounds a connection. */
export interface ConnectionLimits {
  /** How many bytes may be outstanding. */
  readonly maxInFlightBytes: number
  readonly timeouts: Timeouts
}

/** Messages that one barrier will confirm, by their streams. */
class Batch {
  // Two arrays side by side: an object for each frame costs a publisher on many streams a tenth of its time.
  readonly streams: StreamState[] = []
  readonly messages: number[] = []
  readonly settled = deferred()

  settle(outcome: 'confirmed' | 'unconfirmed'): void {
    for (const index of this.streams.keys()) this.#end(index, outcome)
    this.settled.resolve()
  }

  /** The backend refused something on a topic, and does not say what. */
  doubt(topic: Topic | undefined): void {
    for (const [index, { outbox }] of this.streams.entries()) {
      if ((outbox as Outbox).topic === topic) this.#end(index, 'unconfirmed')
    }
  }

  #end(index: number, outcome: 'confirmed' | 'unconfirmed'): void {
    const { counters } = this.streams[index] as StreamState
    const messages = this.messages[index] as number
    this.messages[index] = 0
    counters.add('inFlight', -messages)
    counters.add(outcome, messages)
  }
}

/** A barrier that waits for its answer. */
class Barrier {
  /** What it confirms. */
  readonly batch: Batch
  readonly startMs: number
  /** How many bytes were sent on this connection before it. */
  readonly position: number
  readonly givenUp = new AbortController()

  constructor(batch: Batch, startMs: number, position: number) {
    this.batch = batch
    this.startMs = startMs
    this.position = position
  }
}

/**
 * Follows what was handed to the broker until a barrier confirms it, and bounds how much that may be. Barriers stand
 * between the data, so that each answer shows progress on a link where the answer to the last one is far away. `start`
 * and `stop` go with each connection.
 */
export class Confirmations {
  /** When the last barrier that was answered promptly began: what arrived later had not waited on our link. */
  promptStartMs = -Infinity
  readonly #hub: HubState
  readonly #transport: Transport
  readonly #maxBytes: number
  readonly #timeouts: Timeouts
  readonly #joins: Joins
  #rate: LinkRate
  /** Sent since the last barrier began. */
  #pending = new Batch()
  /** Barriers that are not answered, the oldest first. */
  readonly #barriers: Barrier[] = []
  /** Bytes sent on this connection: in all, before the last barrier, and before the last one that was answered. */
  #sent = 0
  #covered = 0
  #answered = 0
  #misses = 0
  #lastStartMs = -Infinity
  #cancelTimer: (() => void) | undefined
  /** Whether the timer that runs is for a barrier that is needed, not only for the next look. */
  #isTimerUrgent = false
  #cancelDeadline: (() => void) | undefined
  /** Whether a frame came since the deadline that runs was set. */
  #hasHeard = false
  /** Absent while there is none. */
  #connection: AbortController | undefined

  constructor(hub: HubState, transport: Transport, limits: ConnectionLimits, joins: Joins) {
    this.#hub = hub
    this.#transport = transport
    this.#maxBytes = limits.maxInFlightBytes
    this.#timeouts = limits.timeouts
    this.#joins = joins
    this.#rate = new LinkRate(this.#maxBytes)
  }

  /** Whether the last barrier missed its deadline: what arrives now may have waited on a frozen link. */
  get isOverdue(): boolean {
    return this.#misses > 0
  }

  /** How large a frame of several messages may be, so that the answers to barriers are never far apart. */
  get chunkBytes(): number {
    return this.#rate.chunkBytes
  }

  /** Tells whether a frame of so many bytes may be sent. A slow link takes one at any time, when nothing is in flight. */
  hasRoom(bytes: number): boolean {
    const inFlight = this.#sent - this.#answered
    if (inFlight + bytes <= this.#rate.windowBytes) return true
    return inFlight === 0 && bytes <= this.#maxBytes
  }

  /** Notes a frame that was sent, with the messages in it. */
  add(state: StreamState, messages: number, bytes: number): void {
    this.#sent += bytes
    const { streams, messages: counts } = this.#pending
    if (streams.at(-1) === state) (counts[counts.length - 1] as number) += messages
    else {
      streams.push(state)
      counts.push(messages)
    }
    if (this.#sent - this.#covered >= this.#rate.chunkBytes) this.#run()
    else this.schedule()
  }

  /** Notes that a frame came in. */
  heard(): void {
    this.#hasHeard = true
  }

  /** The backend refused something on a topic, if it says which: no barrier confirms what is in flight there. */
  doubt(topic: Topic | undefined): void {
    this.#pending.doubt(topic)
    for (const { batch } of this.#barriers) batch.doubt(topic)
  }

  /** Resolves when everything noted so far is confirmed or unconfirmed. */
  async settled(): Promise<void> {
    const newest = this.#barriers.at(-1)?.batch
    const last = this.#pending.streams.length > 0 ? this.#pending : newest
    await newest?.settled.promise
    if (last === this.#pending) this.#run() // waits for no timer: fake ones may stand still
    await last?.settled.promise
  }

  /** A connection is open; it is aborted when two barriers in a row are missed. */
  start(connection: PlatformController): void {
    this.#connection = connection
    this.schedule()
  }

  /** The connection is gone: whatever is in flight becomes unconfirmed. */
  stop(): void {
    const reason = this.#connection?.signal.reason
    this.#stopTimer()
    this.#connection = undefined
    for (const { batch, givenUp } of this.#barriers.splice(0)) {
      batch.settle('unconfirmed')
      givenUp.abort(reason)
    }
    this.#pending.settle('unconfirmed')
    this.#pending = new Batch()
    this.#setDeadline()
    this.#rate = new LinkRate(this.#maxBytes)
    this.#sent = 0
    this.#covered = 0
    this.#answered = 0
    this.#misses = 0
  }

  /**
   * Starts the next barrier in time: after 20 ms when something is in flight, when the last one was missed (to tell
   * whether the connection lives) or when `isAskedFor`, and after `idleMs` while something is joined.
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

  /** A barrier is answered, or will not be, with the cause; unless that is known already. */
  #end(barrier: Barrier, cause: unknown): void {
    const nth = this.#barriers.indexOf(barrier)
    if (nth === -1 || this.#connection?.signal.aborted !== false) return
    if (cause === undefined) this.#confirm(barrier, this.#barriers.splice(0, nth + 1))
    else this.#miss(this.#barriers.splice(nth, 1)[0] as Barrier, cause)
  }

  /** An answer confirms the barriers before it, too: the backend has everything that was sent before. */
  #confirm({ startMs, position }: Barrier, answered: readonly Barrier[]): void {
    const nowMs = this.#hub.clock.nowMs()
    this.#misses = 0
    this.#answered = position
    this.#rate.answered({ startMs, position }, nowMs)
    if (nowMs - startMs <= PROMPT_MS) this.promptStartMs = startMs
    for (const { batch } of answered) batch.settle('confirmed')
    this.#setDeadline()
    this.schedule()
  }

  #miss({ batch, givenUp }: Barrier, cause: unknown): void {
    const most = this.#hasHeard ? MISSES_TO_DOWN_WHILE_HEARING : MISSES_TO_DOWN
    this.#misses++
    this.#rate.missed()
    batch.settle('unconfirmed')
    givenUp.abort(cause)
    this.#setDeadline()
    this.schedule()
    if (this.#misses >= most) this.#connection?.abort(cause)
  }

  /**
   * Gives the oldest barrier its time, which begins anew with each answer, while what the client holds drains, and once
   * when the process stood still.
   */
  #setDeadline(hasStoodStill = false): void {
    this.#cancelDeadline?.()
    this.#cancelDeadline = undefined
    this.#hasHeard = false
    if (this.#barriers.length === 0) return
    const setMs = this.#hub.clock.nowMs()
    const halfMs = this.#timeouts.barrierMs / 2
    const after = (dueMs: number, look: () => void) => {
      const act = () => {
        const isLate = this.#hub.clock.nowMs() - setMs - dueMs > STOOD_STILL_MS
        if (isLate && !hasStoodStill) this.#standStill(setMs)
        else look()
      }
      this.#cancelDeadline = this.#hub.environment.setTimer(act, halfMs, true)
    }
    after(halfMs, () => {
      const held = this.#held()
      const left = this.#sent - held
      const isDraining = () => held > 0 && this.#sent - this.#held() > left
      after(2 * halfMs, () => (isDraining() ? this.#setDeadline() : this.#expire()))
    })
  }

  /** The barrier may be answered yet; what arrives now may be old when its time would have been over. */
  #standStill(setMs: number): void {
    if (this.#hub.clock.nowMs() - setMs >= this.#timeouts.barrierMs) this.#misses = Math.max(1, this.#misses)
    this.#setDeadline(true)
  }

  #expire(): void {
    const barrier = this.#barriers.shift()
    if (barrier !== undefined) this.#miss(barrier, new Overdue('The barrier', this.#timeouts.barrierMs))
  }

  /** How many bytes wait in the client, as far as the transport can tell. */
  #held(): number {
    try {
      return this.#transport.heldBytes?.() ?? 0
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
