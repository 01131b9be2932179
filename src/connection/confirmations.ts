import { withDeadline } from '../base/deadline.ts'
import { deferred } from '../base/deferred.ts'
import type { HubState, Outbox, StreamState } from '../model/stream-state.ts'
import type { Topic } from '../model/topic.ts'
import type { Transport } from '../model/transport.ts'
import type { Joins } from './joins.ts'

/** A barrier that is not answered within this has missed; two in a row mean that the connection is dead. */
const BARRIER_TIMEOUT_MS = 2_000
/** Barriers are at least this far apart, so that a fast publisher does not spend its time on them. */
const BARRIER_SPACING_MS = 20
/** While something is joined one runs at least so often, to notice a link that is frozen. */
const LISTENING_SPACING_MS = 2_000
const MISSES_TO_DOWN = 2
/** A barrier that is answered within this shows that no backlog waits on the link. */
const PROMPT_MS = 1_000

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

/**
 * Follows what was handed to the broker until a barrier confirms it, one barrier at a time, and bounds how much
 * that may be. `start` and `stop` go with each connection.
 */
export class Confirmations {
  /** When the last barrier that was answered promptly began: what arrived later had not waited on our link. */
  promptStartMs = -Infinity
  readonly #hub: HubState
  readonly #transport: Transport
  readonly #maxBytes: number
  readonly #joins: Joins
  /** Sent since the running barrier began. */
  #pending = new Batch()
  /** What the running barrier covers. */
  #covered: Batch | undefined
  /** Bytes that the client may still hold: freed by a barrier that is answered. */
  #bytes = 0
  #misses = 0
  #lastStartMs = -Infinity
  #cancelTimer: (() => void) | undefined
  /** Whether the timer that runs is for a barrier that is needed, not only for the next look. */
  #isTimerUrgent = false
  /** Absent while there is none. */
  #connection: AbortController | undefined

  /** `maxBytes` may be outstanding. */
  constructor(hub: HubState, transport: Transport, maxBytes: number, joins: Joins) {
    this.#hub = hub
    this.#transport = transport
    this.#maxBytes = maxBytes
    this.#joins = joins
  }

  /** Whether the last barrier missed its deadline: what arrives now may have waited on a frozen link. */
  get isOverdue(): boolean {
    return this.#misses > 0
  }

  /** Tells whether a frame of so many bytes may be sent. */
  hasRoom(bytes: number): boolean {
    return this.#bytes + bytes <= this.#maxBytes
  }

  /** Notes a frame that was sent, with the messages in it. */
  add(state: StreamState, messages: number, bytes: number): void {
    this.#bytes += bytes
    const { streams, messages: counts } = this.#pending
    if (streams.at(-1) === state) (counts[counts.length - 1] as number) += messages
    else {
      streams.push(state)
      counts.push(messages)
    }
    this.schedule()
  }

  /** The backend refused something on a topic, if it says which: no barrier confirms what is in flight there. */
  doubt(topic: Topic | undefined): void {
    this.#pending.doubt(topic)
    this.#covered?.doubt(topic)
  }

  /** Resolves when everything noted so far is confirmed or unconfirmed. */
  async settled(): Promise<void> {
    const last = this.#pending.streams.length > 0 ? this.#pending : this.#covered
    await this.#covered?.settled.promise
    if (last === this.#pending) this.#run() // waits for no timer: fake ones may stand still
    await last?.settled.promise
  }

  /** A connection is open; it is aborted when two barriers in a row are missed. */
  start(connection: AbortController): void {
    this.#connection = connection
    this.schedule()
  }

  /** The connection is gone: whatever is in flight becomes unconfirmed. */
  stop(): void {
    this.#stopTimer()
    this.#connection = undefined
    this.#covered?.settle('unconfirmed')
    this.#pending.settle('unconfirmed')
    this.#covered = undefined
    this.#pending = new Batch()
    this.#bytes = 0
    this.#misses = 0
  }

  /**
   * Starts the next barrier in time: after 20 ms when something is in flight, when the last one was missed (to tell
   * whether the connection lives) or when `isAskedFor`, and after 2 s while something is joined.
   */
  schedule(isAskedFor = false): void {
    if (this.#covered !== undefined || this.#isTimerUrgent || this.#connection === undefined) return
    const isUrgent = isAskedFor || this.#pending.streams.length > 0 || this.#misses > 0
    if (!isUrgent && (this.#cancelTimer !== undefined || this.#joins.size === 0)) return
    this.#stopTimer()
    this.#isTimerUrgent = isUrgent
    const spacingMs = isUrgent ? BARRIER_SPACING_MS : LISTENING_SPACING_MS
    const waitMs = Math.max(0, this.#lastStartMs + spacingMs - this.#hub.clock.nowMs())
    this.#cancelTimer = this.#hub.environment.setTimer(() => this.#run(), waitMs, isUrgent)
  }

  #run(): void {
    this.#stopTimer()
    const { environment, clock } = this.#hub
    const connection = this.#connection as AbortController
    const covered = this.#pending
    const bytes = this.#bytes
    const startMs = clock.nowMs()
    this.#covered = covered
    this.#pending = new Batch()
    this.#lastStartMs = startMs
    const finish = (outcome: 'confirmed' | 'unconfirmed') => {
      this.#covered = undefined
      covered.settle(outcome)
      this.schedule()
    }
    const flush = (deadline: AbortSignal) => this.#transport.flush(deadline)
    withDeadline(environment, 'The barrier', BARRIER_TIMEOUT_MS, connection.signal, flush).then(
      () => {
        if (connection.signal.aborted) return
        this.#misses = 0
        this.#bytes -= bytes
        if (clock.nowMs() - startMs <= PROMPT_MS) this.promptStartMs = startMs
        finish('confirmed')
      },
      (cause: unknown) => {
        if (connection.signal.aborted) return
        this.#misses++
        finish('unconfirmed')
        if (this.#misses === MISSES_TO_DOWN) connection.abort(cause)
      },
    )
  }

  #stopTimer(): void {
    this.#cancelTimer?.()
    this.#cancelTimer = undefined
    this.#isTimerUrgent = false
  }
}
