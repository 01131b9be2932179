import { Overdue, withDeadline } from '../base/deadline.ts'
import { type Deferred, deferred } from '../base/deferred.ts'
import { Fifo } from '../base/fifo.ts'
import { messageOf, RivuletError } from '../model/errors.ts'
import type { HubState } from '../model/stream-state.ts'
import type { Topic } from '../model/topic.ts'
import type { Transport } from '../model/transport.ts'
import { retryMs } from './back-off.ts'

/** A join that is not confirmed within this is overdue. */
const JOIN_TIMEOUT_MS = 2_000
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

/** What a connection tells the hub. */
export interface ConnectionEvents {
  statusChanged(status: ConnectionStatus): void
  receive(topic: Topic, frame: Uint8Array | string): void
  joinChanged(topic: Topic, change: JoinChange): void
  /** `topic`: the stream that it concerns, when known. */
  failed(error: RivuletError, topic?: Topic): void
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
  failures = 0
  failingSinceMs = 0
  lastCause: string | undefined
  /** How often the connection was lost while this join was under way. */
  losses = 0

  constructor(topic: Topic) {
    this.topic = topic
  }
}

/** Keeps the topics joined that are wanted, at most one join a topic. */
export class Joins {
  readonly #hub: HubState
  readonly #transport: Transport
  readonly #events: ConnectionEvents
  readonly #byTopic = new Map<Topic, Join>()
  #due = new Fifo<Join>()
  /** Each has its turn alone, after all others. */
  #suspects = new Fifo<Join>()
  #running = 0
  #isTryingSuspect = false
  /** Aborted while there is no connection. */
  #connection = new AbortController()

  constructor(hub: HubState, transport: Transport, events: ConnectionEvents) {
    this.#hub = hub
    this.#transport = transport
    this.#events = events
    this.#connection.abort()
  }

  get size(): number {
    return this.#byTopic.size
  }

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
    queueMicrotask(() => this.#leaveUnwanted(join))
  }

  /** There is a connection: joins everything that is wanted. */
  connect(): void {
    this.#connection = new AbortController()
    for (const join of this.#byTopic.values()) {
      if (join.cancelRetry === undefined) this.#enqueue(join)
      else this.#answered(join) // it waits alone, and nobody for it
    }
  }

  /** The connection is gone, and every join with it. `cause` is why, unless it was closed on purpose. */
  disconnect(cause: unknown): void {
    this.#connection.abort()
    this.#due = new Fifo()
    this.#suspects = new Fifo()
    this.#running = 0
    this.#isTryingSuspect = false
    const underWay = [...this.#byTopic.values()].filter(({ state }) => state === 'joining')
    for (const join of this.#byTopic.values()) this.#reset(join)
    if (cause === undefined) return
    for (const join of underWay) join.losses++
    const [only] = underWay
    if (underWay.length === 1 && only !== undefined && only.losses >= SUSPECT_LOSSES) this.#blame(only, cause)
  }

  /** The broker ended a join: it is made again. */
  left(topic: Topic, cause: Error): void {
    const join = this.#byTopic.get(topic)
    if (join?.state !== 'in') return
    this.#events.joinChanged(topic, 'left')
    this.#failed(join, cause)
  }

  /** Resolves when every join that is wanted now has been answered on this connection, or is overdue. */
  async answered(): Promise<void> {
    const wanted = [...this.#byTopic.values()]
    const areOpen = () => wanted.filter((join) => join.isWanted && !join.isAnswered)
    // Again, since the connection may have been another one when the first of them was answered.
    for (let open = areOpen(); open.length > 0; open = areOpen()) {
      for (const join of open) join.answered ??= deferred()
      await Promise.all(open.map((join) => join.answered?.promise))
    }
  }

  #enqueue(join: Join): void {
    if (this.#connection.signal.aborted) return // `connect` comes for it
    join.state = 'queued'
    if (join.losses >= SUSPECT_LOSSES) this.#suspects.push(join)
    else this.#due.push(join)
    queueMicrotask(() => this.#next())
  }

  /** Starts what may start now. */
  #next(): void {
    while (!this.#connection.signal.aborted && !this.#isTryingSuspect && this.#running < MAX_CONCURRENT) {
      const join = this.#due.shift() ?? (this.#running === 0 ? this.#suspects.shift() : undefined)
      if (join === undefined) return
      if (join.state === 'queued' && join.isWanted) void this.#join(join)
    }
  }

  async #join(join: Join): Promise<void> {
    const { signal: connection } = this.#connection
    join.state = 'joining'
    join.abort = new AbortController()
    const { signal } = join.abort
    this.#running++
    this.#isTryingSuspect = join.losses >= SUSPECT_LOSSES
    const task = (deadline: AbortSignal) => this.#transport.join(join.topic, deadline)
    try {
      await withDeadline(this.#hub.environment, 'The join', JOIN_TIMEOUT_MS, signal, task)
      if (!signal.aborted) this.#joined(join)
    } catch (cause) {
      if (!signal.aborted) this.#failed(join, cause)
    }
    if (connection.aborted) return
    this.#running--
    this.#isTryingSuspect = false
    this.#next()
  }

  #joined(join: Join): void {
    join.state = 'in'
    join.failures = 0
    join.losses = 0
    join.lastCause = undefined
    this.#answered(join)
    this.#events.joinChanged(join.topic, 'joined')
  }

  #failed(join: Join, cause: unknown): void {
    const { clock, environment } = this.#hub
    this.#leave(join)
    if (join.failures++ === 0) join.failingSinceMs = clock.nowMs()
    const failingForMs = clock.nowMs() - join.failingSinceMs
    this.#retryAfter(
      join,
      retryMs(join.failures, failingForMs, () => environment.random()),
    )
    this.#tell(join, cause)
  }

  /** A join that costs the connection is backed off alone; the others go on without it. */
  #blame(join: Join, cause: unknown): void {
    const waitMs = BLAMED_RETRY_MS * 2 ** (join.losses - SUSPECT_LOSSES)
    this.#retryAfter(join, Math.min(waitMs, LONGEST_BLAMED_RETRY_MS))
    this.#tell(join, new Error(`the connection is lost each time: ${messageOf(cause)}`, { cause }))
  }

  #tell(join: Join, cause: unknown): void {
    this.#answered(join)
    const error = refusalOf(cause)
    if (join.lastCause !== error.message) this.#events.failed(error, join.topic)
    join.lastCause = error.message
    if (!(cause instanceof Overdue)) this.#events.joinChanged(join.topic, error)
  }

  #retryAfter(join: Join, waitMs: number): void {
    const retry = () => {
      join.cancelRetry = undefined
      if (join.isWanted && join.state === 'out') this.#enqueue(join)
    }
    join.cancelRetry = this.#hub.environment.setTimer(retry, waitMs, false)
  }

  /** The connection is gone. Only a join that is to blame for that waits longer than the connection is away. */
  #reset(join: Join): void {
    if (join.losses < SUSPECT_LOSSES) stopRetry(join)
    join.abort.abort()
    const wasIn = join.state === 'in'
    join.state = 'out'
    join.isAnswered = false
    if (wasIn) this.#events.joinChanged(join.topic, 'left')
  }

  #answered(join: Join): void {
    join.isAnswered = true
    join.answered?.resolve()
    join.answered = undefined
  }

  #leaveUnwanted(join: Join): void {
    if (join.isWanted || this.#byTopic.get(join.topic) !== join) return
    stopRetry(join)
    join.abort.abort()
    if (join.state === 'in' || join.state === 'joining') this.#leave(join)
    join.state = 'out'
    this.#byTopic.delete(join.topic)
    this.#answered(join)
  }

  #leave(join: Join): void {
    join.state = 'out'
    try {
      this.#transport.leave(join.topic)
    } catch (cause) {
      const message = "The transport's leave threw; report it to its maker."
      this.#events.failed(new RivuletError('TRANSPORT_FAILED', message, { cause }), join.topic)
    }
  }
}

function stopRetry(join: Join): void {
  join.cancelRetry?.()
  join.cancelRetry = undefined
}

function refusalOf(cause: unknown): RivuletError {
  if (cause instanceof Overdue) {
    return new RivuletError('TRANSPORT_UNAVAILABLE', `${cause.message}; trying again.`, { cause })
  }
  const message = `The broker refused the join: ${messageOf(cause).replace(/\.$/, '')}. Trying again.`
  return new RivuletError('TRANSPORT_FAILED', message, { cause })
}
