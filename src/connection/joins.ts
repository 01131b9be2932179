import { queueOutside } from '../base/async-context.ts'
import { Overdue, withDeadline } from '../base/deadline.ts'
import { type Deferred, deferred } from '../base/deferred.ts'
import { Clock, type Environment, outside, realEnvironment } from '../base/environment.ts'
import { Fifo } from '../base/fifo.ts'
import type { PlatformSignal } from '../base/platform-signal.ts'
import { messageOf, RivuletError } from '../model/errors.ts'
import { DEFAULT_TIMEOUTS } from '../model/timeouts.ts'
import type { Topic } from '../model/topic.ts'
import type { Transport } from '../model/transport.ts'
import { BackOff, type Time } from './back-off.ts'
import { failure, threw } from './faults.ts'

/** So many joins are under way at a time, so that thousands of them after a reconnect do not miss their deadlines. */
const MAX_CONCURRENT = 256
/**
 * A join that was under way at so many losses of the connection is tried alone from then on, after all others; one
 * that was the only one under way at the last of them is taken to be the cause.
 */
const SUSPECT_LOSSES = 2
/** How long such a join waits before it is tried again, doubled each time: it costs everybody the connection. */
const BLAMED_RETRY_MS = 5_000
const LONGEST_BLAMED_RETRY_MS = 300_000

/** How a connection stands. */
export type ConnectionStatus = 'opening' | 'up' | 'down' | 'closed'

/** What became of a join: confirmed, ended with the connection, or refused. */
export type JoinChange = 'joined' | 'left' | RivuletError

/** Told what becomes of joins. */
export interface JoinEvents {
  /** A join was confirmed, has ended with the connection, or was refused and is tried again. */
  joinChanged(topic: Topic, change: JoinChange): void
  /** A join failed, not told again for each attempt that fails for the same reason. `topic`: which, when known. */
  failed(error: RivuletError, topic?: Topic): void
}

/** What a connection tells the hub. */
export interface ConnectionEvents extends JoinEvents {
  statusChanged(status: ConnectionStatus): void
  receive(topic: Topic, frame: Uint8Array | string): void
  /** A frame of the hub, which it watches. */
  watched(topic: string, frame: Uint8Array | string): void
  /** The backend gives prefixes for the origins of the hub's streams. */
  prefixesGiven(prefixes: readonly string[]): void
}

/** What joins need of a transport. */
export interface Joining extends Pick<Transport, 'leave'> {
  /** As of a transport; `wanted` aborts when the join is given up or left, also after it was confirmed. */
  join(topic: Topic, signal: PlatformSignal, wanted: PlatformSignal): Promise<void>
}

/**
 * Makes a keeper of a transport's joins, as the hub has one: for a transport that stands on another one and joins its
 * topics for several users. Call `connect` when the other one is open, `disconnect` when it is down. A join that is not
 * confirmed within `joinMs` is overdue.
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
  /** Whether the broker has answered on this connection, or the answer is overdue. */
  isAnswered = false
  answered: Deferred | undefined
  abort = new AbortController()
  cancelRetry: (() => void) | undefined
  readonly backOff = new BackOff()
  lastCause: string | undefined
  /** How often the connection was lost while this join was under way. */
  losses = 0

  constructor(topic: Topic) {
    this.topic = topic
  }

  get isSuspect(): boolean {
    return this.losses >= SUSPECT_LOSSES
  }

  stopRetry(): void {
    this.cancelRetry?.()
    this.cancelRetry = undefined
  }

  /** Takes it out, or gives the attempt up, and returns how it stood. */
  stop(): Join['state'] {
    const { state } = this
    this.abort.abort()
    this.state = 'out'
    return state
  }
}

/** Keeps the topics joined that are wanted, at most one join a topic. */
export class Joins {
  readonly #time: Time
  readonly #transport: Joining
  readonly #events: JoinEvents
  readonly #joinMs: number
  readonly #byTopic = new Map<Topic, Join>()
  #due = new Fifo<Join>()
  /** Each has its turn alone, after all others. */
  #suspects = new Fifo<Join>()
  /** Joins under way; a suspect counts as many as there may be. */
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

  /** How many topics are wanted, or were until this tick. */
  get size(): number {
    return this.#byTopic.size
  }

  /** Joins the topic, now or when there is a connection. Told again for a topic that is joined already. */
  want(topic: Topic): void {
    const join = this.#byTopic.get(topic) ?? new Join(topic)
    this.#byTopic.set(topic, join)
    join.isWanted = true
    if (join.state === 'in') this.#events.joinChanged(topic, 'joined')
    else if (join.state === 'out' && join.cancelRetry === undefined) this.#enqueue(join)
  }

  /** Leaves at the end of the tick, so that a subscription that goes and comes again costs nothing. */
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

  /** There is a connection, until it aborts: joins everything that is wanted. */
  connect(connection: PlatformSignal): void {
    this.#connection = connection
    for (const join of this.#byTopic.values()) {
      if (join.cancelRetry === undefined) this.#enqueue(join)
      else answer(join) // it waits alone, and nobody for it
    }
  }

  /** The connection is gone, and every join with it. `cause` is why, unless it was closed on purpose. */
  disconnect(cause: unknown): void {
    this.#due = new Fifo()
    this.#suspects = new Fifo()
    this.#running = 0
    const underWay = [...this.#byTopic.values()].filter(({ state }) => state === 'joining')
    for (const join of this.#byTopic.values()) {
      // Only a join that is to blame for that waits longer than the connection is away.
      if (!join.isSuspect) join.stopRetry()
      answer(join) // `answered` looks at its connection then
      join.isAnswered = false
      if (join.stop() === 'in') this.#events.joinChanged(join.topic, 'left')
    }
    if (cause === undefined) return
    for (const join of underWay) {
      join.losses++
      if (underWay.length === 1 && join.isSuspect) this.#blame(join, cause)
    }
  }

  /** The broker itself is away: no join was to blame for the loss of the connection. */
  forgive(): void {
    for (const join of this.#byTopic.values()) join.losses = 0
  }

  /** The broker ended a join: it is made again. */
  left(topic: Topic, cause: Error): void {
    const join = this.#byTopic.get(topic)
    if (join?.state !== 'in') return
    this.#events.joinChanged(topic, 'left')
    this.#failed(join, cause)
  }

  /** Resolves when every join that is wanted now has been answered or is overdue, or when the connection is gone. */
  async answered(connection: PlatformSignal): Promise<void> {
    for (const join of [...this.#byTopic.values()]) {
      while (join.isWanted && !join.isAnswered && !connection.aborted) {
        join.answered ??= deferred()
        await join.answered.promise
      }
    }
  }

  #enqueue(join: Join): void {
    if (this.#connection.aborted) return // `connect` comes for it
    join.state = 'queued'
    if (join.isSuspect) this.#suspects.push(join)
    else this.#due.push(join)
    queueOutside(() => this.#next())
  }

  /** Starts what may start now. */
  #next(): void {
    while (!this.#connection.aborted && this.#running < MAX_CONCURRENT) {
      const join = this.#due.shift() ?? (this.#running === 0 ? this.#suspects.shift() : undefined)
      if (join === undefined) return
      if (join.isWanted) void this.#join(join)
      else join.state = 'out' // it may be wanted again before this tick ends
    }
  }

  async #join(join: Join): Promise<void> {
    const connection = this.#connection
    const places = join.isSuspect ? MAX_CONCURRENT : 1
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

  /** A join that costs the connection is backed off alone; the others go on without it. */
  #blame(join: Join, cause: unknown): void {
    const waitMs = BLAMED_RETRY_MS * 2 ** (join.losses - SUSPECT_LOSSES)
    const blame = new Error(`the connection is lost each time: ${messageOf(cause)}`, { cause })
    this.#retryAfter(join, Math.min(waitMs, LONGEST_BLAMED_RETRY_MS), blame)
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

/** The transport has lost its connection, and is about to say so: nobody refused the join. */
function isUnavailable(cause: unknown): boolean {
  return RivuletError.is(cause) && cause.code === 'TRANSPORT_UNAVAILABLE'
}

function answer(join: Join): void {
  join.isAnswered = true
  join.answered?.resolve()
  join.answered = undefined
}
