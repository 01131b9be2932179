import { queueOutside } from '../base/async-context.ts'
import { Overdue, withDeadline } from '../base/deadline.ts'
import { type Deferred, deferred } from '../base/deferred.ts'
import { Clock, type Environment, outside, realEnvironment } from '../base/environment.ts'
import { Fifo } from '../base/fifo.ts'
import type { PlatformSignal } from '../base/platform-signal.ts'
import { messageOf, RivuletError } from '../errors/errors.ts'
import type { Topic } from '../message/topic.ts'
import { DEFAULT_TIMEOUTS } from '../state/timeouts.ts'
import { BackOff, type Time } from './back-off.ts'
import { failure, threw } from './faults.ts'
import type { Transport } from './transport.ts'

/** The most joins under way at a time: thousands at once after a reconnect would miss their deadlines. */
const MAX_CONCURRENT = 256
/**
 * A join that was under way at this many losses of the connection is in doubt: it is tried alone from then on, after
 * all others. When it was the only one under way at the last loss, it counts as the cause.
 */
const LOSSES_TO_DOUBT = 2
/** The wait before such a join is tried again, doubled each time: every attempt costs all streams the connection. */
const DOUBTED_RETRY_MS = 5_000
const LONGEST_DOUBTED_RETRY_MS = 300_000

/** The status of a connection. */
export type ConnectionStatus = 'opening' | 'up' | 'down' | 'closed'

/** The outcome of a join: confirmed, ended with the connection, or refused. */
export type JoinChange = 'joined' | 'left' | RivuletError

/** Receives the outcome of each join. */
export interface JoinEvents {
  /** A join was confirmed, has ended with the connection, or was refused and is tried again. */
  joinChanged(topic: Topic, change: JoinChange): void
  /** A join failed; reported once for all attempts that fail for the same reason. `topic`: its topic, when known. */
  failed(error: RivuletError, topic?: Topic): void
}

/** Receives the events of a connection. */
export interface ConnectionEvents extends JoinEvents {
  statusChanged(status: ConnectionStatus): void
  receive(topic: Topic, frame: Uint8Array | string): void
  /** A frame of the watched hub arrived. */
  watched(topic: string, frame: Uint8Array | string): void
  /** The backend gave prefixes for the origins of the hub's streams. */
  prefixesGiven(prefixes: readonly string[]): void
}

/** The part of a transport that joins use. */
export interface Joining extends Pick<Transport, 'leave'> {
  /**
   * Joins as a transport does; `wanted` aborts when the topic is left or the attempt given up, also after the
   * confirmation.
   */
  join(topic: Topic, signal: PlatformSignal, wanted: PlatformSignal): Promise<void>
}

/**
 * Keeps the joins of a transport, as a hub does: for a transport that is built on another one and joins topics for
 * several users. Call `connect` when the other one is open, `disconnect` when it is down. A join that is not confirmed
 * within `joinMs` is overdue.
 */
export function keepJoins(
  transport: Joining,
  events: JoinEvents,
  environment: Environment = realEnvironment,
  joinMs: number = DEFAULT_TIMEOUTS.joinMs,
): Joins {
  const time = { environment: outside(environment), clock: new Clock(() => environment.nowMs()) }
  return new Joins(time, transport, events, joinMs)
}

class Join {
  readonly topic: Topic
  isWanted = true
  /** `queued` waits for its turn, `joining` for the broker. */
  state: 'out' | 'queued' | 'joining' | 'in' = 'out'
  /** Whether the broker has responded on this connection, or the response is overdue. */
  isSettled = false
  answered: Deferred | undefined
  abort = new AbortController()
  cancelRetry: (() => void) | undefined
  readonly backOff = new BackOff()
  lastCause: string | undefined
  /** The number of times the connection was lost while this join was under way. */
  losses = 0

  constructor(topic: Topic) {
    this.topic = topic
  }

  get isInDoubt(): boolean {
    return this.losses >= LOSSES_TO_DOUBT
  }

  stopRetry(): void {
    this.cancelRetry?.()
    this.cancelRetry = undefined
  }

  /** Removes it or gives up the attempt, and returns its state before. */
  stop(): Join['state'] {
    const { state } = this
    this.abort.abort()
    this.state = 'out'
    return state
  }
}

/** Keeps the wanted topics joined, with at most one join for each. */
export class Joins {
  readonly #time: Time
  readonly #transport: Joining
  readonly #events: JoinEvents
  readonly #joinMs: number
  readonly #byTopic = new Map<Topic, Join>()
  #due = new Fifo<Join>()
  /** Joins in doubt: each is tried alone, after all others. */
  #inDoubt = new Fifo<Join>()
  /** Joins under way; a join in doubt counts as `MAX_CONCURRENT`. */
  #running = 0
  /** Aborted while there is no connection. */
  #connection: AbortSignal = AbortSignal.abort()

  /** Use `keepJoins`; the core's own connection shares its clock. */
  constructor(time: Time, transport: Joining, events: JoinEvents, joinMs: number) {
    this.#time = time
    this.#transport = transport
    this.#events = events
    this.#joinMs = joinMs
  }

  /** The number of topics that are wanted, or were until this tick. */
  get size(): number {
    return this.#byTopic.size
  }

  /**
   * Joins the topic, now or when there is a connection. For a topic that is joined already, the listener is notified
   * again.
   */
  want(topic: Topic): void {
    const join = this.#byTopic.get(topic) ?? new Join(topic)
    this.#byTopic.set(topic, join)
    join.isWanted = true
    if (join.state === 'in') this.#events.joinChanged(topic, 'joined')
    else if (join.state === 'out' && join.cancelRetry === undefined) this.#enqueue(join)
  }

  /** Leaves at the end of the tick, so that unsubscribing and subscribing again in one tick costs nothing. */
  unwant(topic: Topic): void {
    const join = this.#byTopic.get(topic)
    if (join === undefined) return
    join.isWanted = false
    queueOutside(() => {
      if (join.isWanted || this.#byTopic.get(topic) !== join) return
      join.stopRetry()
      const state = join.stop()
      if (state === 'in' || state === 'joining') this.#leave(topic)
      this.#byTopic.delete(topic)
      answer(join)
    })
  }

  /** Called when there is a connection, until it aborts: joins all wanted topics. */
  connect(connection: PlatformSignal): void {
    this.#connection = connection
    for (const join of this.#byTopic.values()) {
      if (join.cancelRetry === undefined) this.#enqueue(join)
      else answer(join) // it is tried alone, and `answered` does not wait for it
    }
  }

  /** Called when the connection is lost, and every join with it. `cause`: the reason, absent when closed on purpose. */
  disconnect(cause: unknown): void {
    this.#due = new Fifo()
    this.#inDoubt = new Fifo()
    this.#running = 0
    const underWay = [...this.#byTopic.values()].filter(({ state }) => state === 'joining')
    for (const join of this.#byTopic.values()) {
      // Only a join that caused the loss waits beyond the next connection.
      if (!join.isInDoubt) join.stopRetry()
      answer(join) // `answered` checks its connection then
      join.isSettled = false
      if (join.stop() === 'in') this.#events.joinChanged(join.topic, 'left')
    }
    if (cause === undefined) return
    for (const join of underWay) {
      join.losses++
      if (underWay.length === 1 && join.isInDoubt) this.#backOffAlone(join, cause)
    }
  }

  /** Called when the broker itself is unreachable: no join caused the loss of the connection. */
  forgive(): void {
    for (const join of this.#byTopic.values()) join.losses = 0
  }

  /** Called when the broker ended a join: it is made again. */
  left(topic: Topic, cause: Error): void {
    const join = this.#byTopic.get(topic)
    if (join?.state !== 'in') return
    this.#events.joinChanged(topic, 'left')
    this.#failed(join, cause)
  }

  /** Resolves when every wanted join has its response or is overdue, or when the connection is lost. */
  async answered(connection: PlatformSignal): Promise<void> {
    for (const join of [...this.#byTopic.values()]) {
      while (join.isWanted && !join.isSettled && !connection.aborted) {
        join.answered ??= deferred()
        await join.answered.promise
      }
    }
  }

  #enqueue(join: Join): void {
    if (this.#connection.aborted) return // `connect` will join it
    join.state = 'queued'
    if (join.isInDoubt) this.#inDoubt.push(join)
    else this.#due.push(join)
    queueOutside(() => this.#next())
  }

  /** Starts the joins that may start now. */
  #next(): void {
    while (!this.#connection.aborted && this.#running < MAX_CONCURRENT) {
      const join = this.#due.shift() ?? (this.#running === 0 ? this.#inDoubt.shift() : undefined)
      if (join === undefined) return
      if (join.isWanted) void this.#join(join)
      else join.state = 'out' // it may be wanted again before this tick ends
    }
  }

  async #join(join: Join): Promise<void> {
    const connection = this.#connection
    const places = join.isInDoubt ? MAX_CONCURRENT : 1
    join.state = 'joining'
    join.abort = new AbortController()
    const { signal } = join.abort
    this.#running += places
    const task = (deadline: AbortSignal) => this.#transport.join(join.topic, deadline, signal)
    try {
      await withDeadline(this.#time.environment, 'The join', this.#joinMs, signal, task)
      if (!signal.aborted) this.#joined(join)
    } catch (cause) {
      if (!signal.aborted) this.#failed(join, cause)
    }
    if (connection.aborted) return
    this.#running -= places
    this.#next()
  }

  #joined(join: Join): void {
    join.state = 'in'
    join.backOff.reset()
    join.losses = 0
    join.lastCause = undefined
    answer(join)
    if (join.isWanted) this.#events.joinChanged(join.topic, 'joined') // else it is left at the end of this tick
  }

  #failed(join: Join, cause: unknown): void {
    join.stop()
    this.#leave(join.topic)
    this.#retryAfter(join, join.backOff.nextMs(this.#time), cause)
  }

  /** Backs off a join that costs the connection; the others go on without it. */
  #backOffAlone(join: Join, cause: unknown): void {
    const waitMs = DOUBTED_RETRY_MS * 2 ** (join.losses - LOSSES_TO_DOUBT)
    const loss = new Error(`the connection is lost each time: ${messageOf(cause)}`, { cause })
    this.#retryAfter(join, Math.min(waitMs, LONGEST_DOUBTED_RETRY_MS), loss)
  }

  #retryAfter(join: Join, waitMs: number, cause: unknown): void {
    const retry = () => {
      join.cancelRetry = undefined
      this.#enqueue(join)
    }
    join.cancelRetry = this.#time.environment.setTimer(retry, waitMs, false)
    answer(join)
    const isOutage = cause instanceof Overdue || isUnavailable(cause)
    const error = isOutage
      ? failure('TRANSPORT_UNAVAILABLE', 'The join is not confirmed', cause)
      : failure('TRANSPORT_FAILED', 'The broker refused the join', cause)
    if (join.lastCause !== error.message) this.#events.failed(error, join.topic)
    join.lastCause = error.message
    if (!isOutage) this.#events.joinChanged(join.topic, error)
  }

  #leave(topic: Topic): void {
    try {
      this.#transport.leave(topic)
    } catch (cause) {
      this.#events.failed(threw('leave', cause), topic)
    }
  }
}

/** Returns whether the transport has lost its connection, and is about to report it: the broker did not refuse the join. */
function isUnavailable(cause: unknown): boolean {
  return RivuletError.is(cause) && cause.code === 'TRANSPORT_UNAVAILABLE'
}

function answer(join: Join): void {
  join.isSettled = true
  join.answered?.resolve()
  join.answered = undefined
}
