import { withDeadline } from '../base/deadline.ts'
import { deferred } from '../base/deferred.ts'
import type { Counters } from '../model/ledger.ts'
import type { HubState } from '../model/stream-state.ts'
import type { Transport } from '../model/transport.ts'

/** A barrier that is not answered within this has missed; two in a row mean that the connection is dead. */
const BARRIER_TIMEOUT_MS = 2_000
/** Barriers are at least this far apart, so that a fast publisher does not spend its time on them. */
const BARRIER_SPACING_MS = 20
/** While something is joined one runs at least so often, to notice a link that is frozen. */
const LISTENING_SPACING_MS = 2_000
const MISSES_TO_DOWN = 2
/** A barrier that is answered within this shows that no backlog waits on the link. */
const PROMPT_MS = 1_000

/** Messages that one barrier will confirm, by the counters of their streams, in the order of the frames. */
class Batch {
  readonly #counters: Counters[] = []
  readonly #messages: number[] = []
  readonly settled = deferred()

  get isEmpty(): boolean {
    return this.#counters.length === 0
  }

  add(counters: Counters, messages: number): void {
    const last = this.#counters.length - 1
    if (last >= 0 && this.#counters[last] === counters) (this.#messages[last] as number) += messages
    else {
      this.#counters.push(counters)
      this.#messages.push(messages)
    }
  }

  settle(outcome: 'confirmed' | 'unconfirmed'): void {
    for (const [index, counters] of this.#counters.entries()) {
      const messages = this.#messages[index] as number
      counters.add('inFlight', -messages)
      counters.add(outcome, messages)
    }
    this.settled.resolve()
  }
}

/**
 * Follows what was handed to the broker until a barrier confirms it, one barrier at a time, and bounds how much
 * that may be. `start` and `stop` go with each connection.
 */
export class Confirmations {
  readonly #hub: HubState
  readonly #transport: Transport
  readonly #maxBytes: number
  readonly #isListening: () => boolean
  readonly #onDead: (cause: unknown) => void
  /** Sent since the running barrier began. */
  #sent = new Batch()
  /** What the running barrier covers. */
  #covered: Batch | undefined
  /** Bytes that the client may still hold: freed by a barrier that is answered. */
  #bytes = 0
  #misses = 0
  #lastStartMs = Number.NEGATIVE_INFINITY
  #promptStartMs = Number.NEGATIVE_INFINITY
  #cancelTimer: (() => void) | undefined
  /** Whether the timer that runs is for a barrier that is needed, not only for the next look. */
  #isTimerUrgent = false
  /** Aborted when the connection is gone. */
  #connection = new AbortController()

  /** `maxBytes` may be outstanding; `onDead` is called when two barriers in a row were missed. */
  constructor(
    hub: HubState,
    transport: Transport,
    maxBytes: number,
    isListening: () => boolean,
    onDead: (cause: unknown) => void,
  ) {
    this.#hub = hub
    this.#transport = transport
    this.#maxBytes = maxBytes
    this.#isListening = isListening
    this.#onDead = onDead
    this.#connection.abort()
  }

  /** Whether the last barrier missed its deadline: what arrives now may have waited on a frozen link. */
  get isOverdue(): boolean {
    return this.#misses > 0
  }

  /** When the last barrier that was answered promptly began: what arrived later had not waited on our link. */
  get promptStartMs(): number {
    return this.#promptStartMs
  }

  /** Tells whether a frame of so many bytes may be sent. */
  hasRoom(bytes: number): boolean {
    return this.#bytes + bytes <= this.#maxBytes
  }

  /** Notes a frame that was sent, with the messages in it. */
  add(counters: Counters, messages: number, bytes: number): void {
    this.#bytes += bytes
    this.#sent.add(counters, messages)
    this.schedule()
  }

  /** Resolves when everything noted so far is confirmed or unconfirmed. */
  async settled(): Promise<void> {
    const last = this.#sent.isEmpty ? this.#covered : this.#sent
    while (last !== undefined && (last === this.#sent || last === this.#covered)) {
      if (this.#covered === undefined) this.#run() // waits for no timer: fake ones may stand still
      await this.#covered?.settled.promise
    }
  }

  /** A connection is open. */
  start(): void {
    this.#connection = new AbortController()
    this.schedule()
  }

  /** The connection is gone: whatever is in flight becomes unconfirmed. */
  stop(): void {
    this.#stopTimer()
    this.#connection.abort()
    this.#covered?.settle('unconfirmed')
    this.#sent.settle('unconfirmed')
    this.#covered = undefined
    this.#sent = new Batch()
    this.#bytes = 0
    this.#misses = 0
  }

  /**
   * Starts the next barrier in time: after 20 ms when something is in flight, when the last one was missed (to tell
   * whether the connection lives) or when `isAskedFor`, and after 2 s while something is joined.
   */
  schedule(isAskedFor = false): void {
    if (this.#covered !== undefined || this.#isTimerUrgent || this.#connection.signal.aborted) return
    const isUrgent = isAskedFor || !this.#sent.isEmpty || this.#misses > 0
    if (!isUrgent && (this.#cancelTimer !== undefined || !this.#isListening())) return
    this.#stopTimer()
    this.#isTimerUrgent = isUrgent
    const spacingMs = isUrgent ? BARRIER_SPACING_MS : LISTENING_SPACING_MS
    const waitMs = Math.max(0, this.#lastStartMs + spacingMs - this.#hub.clock.nowMs())
    this.#cancelTimer = this.#hub.environment.setTimer(() => this.#run(), waitMs, isUrgent)
  }

  #run(): void {
    this.#stopTimer()
    const { signal } = this.#connection
    const { environment, clock } = this.#hub
    const flush = (deadline: AbortSignal) => this.#transport.flush(deadline)
    const covered = this.#sent
    const bytes = this.#bytes
    const startMs = clock.nowMs()
    this.#covered = covered
    this.#sent = new Batch()
    this.#lastStartMs = startMs
    withDeadline(environment, 'The barrier', BARRIER_TIMEOUT_MS, signal, flush).then(
      () => {
        if (signal.aborted) return
        this.#misses = 0
        this.#bytes -= bytes
        if (clock.nowMs() - startMs <= PROMPT_MS) this.#promptStartMs = startMs
        this.#finish(covered, 'confirmed')
      },
      (cause: unknown) => {
        if (signal.aborted) return
        this.#misses++
        this.#finish(covered, 'unconfirmed')
        if (this.#misses === MISSES_TO_DOWN) this.#onDead(cause)
      },
    )
  }

  #stopTimer(): void {
    this.#cancelTimer?.()
    this.#cancelTimer = undefined
    this.#isTimerUrgent = false
  }

  #finish(covered: Batch, outcome: 'confirmed' | 'unconfirmed'): void {
    this.#covered = undefined
    covered.settle(outcome)
    this.schedule()
  }
}
