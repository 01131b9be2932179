import { abortable, withDeadline } from '../base/deadline.ts'
import { deferred } from '../base/deferred.ts'
import { connecting } from '../base/diagnostics.ts'
import { invalid, named, RivuletError } from '../errors/errors.ts'
import { type Topic, topicOf } from '../message/topic.ts'
import type { LossReason } from '../state/ledger.ts'
import type { Follow } from '../state/send-part.ts'
import type { HubState, StreamState } from '../state/stream-state.ts'
import type { Timeouts } from '../state/timeouts.ts'
import { BackOff } from './back-off.ts'
import { Confirmations, type ConnectionLimits } from './confirmations.ts'
import { failure, reported, threw } from './faults.ts'
import { type ConnectionEvents, type ConnectionStatus, type Joining, Joins } from './joins.ts'
import { outsideTransport } from './outside.ts'
import type { Transport, TransportHost } from './transport.ts'

/**
 * The shares of `closeMs` for the capacity of kept values, for that with the last flush, and for sending and closing
 * each. The rest allows for a late event loop.
 */
const CAPACITY_PART = 0.4
const FLUSH_PART = 0.5
const CLOSE_PART = 0.2
/** The longest delay of the next connection by the old one, which may occur twice. */
const DROP_TIMEOUT_MS = 1_000
/** The wait after a refusal that trying again will hardly change: credentials, a certificate. */
const REFUSED_RETRY_MS = 30_000
/** The most causes of one outage that are remembered: a broker may give a different text each time. */
const MOST_CAUSES = 100
/** After a connection that lasted this long the back-off starts anew. */
const GOOD_CONNECTION_MS = 5_000

/** Brands the transports of open hubs: a second hub would end the connection of the first, which would not notice. */
const takenTransports = new WeakSet<Transport>()

/** A hub's connection: opens it, reopens it whenever it is lost, and carries frames both ways. */
export class Connection {
  readonly joins: Joins
  readonly confirmations: Confirmations
  /** Represents, among the joins, the watch over all topics of the hub; no stream has it. */
  readonly everything: Topic
  status: ConnectionStatus = 'opening'
  /** Attempts to connect that failed since the connection was up. */
  failedAttempts = 0
  readonly #hub: HubState
  /** The transport as given, for comparison by identity. */
  readonly #given: Transport
  readonly #transport: Transport
  readonly #timeouts: Timeouts
  readonly #events: ConnectionEvents
  readonly #closing = new AbortController()
  /** Aborted when the current connection, if any, is lost. */
  #current = new AbortController()
  /** The callbacks that wait for a connection: called when it is up, refused or closed. */
  readonly #waiting = new Set<() => void>()
  readonly #backOff = new BackOff()
  /** The reported causes of failures since the connection was up: each is reported once. */
  readonly #reportedCauses = new Set<string>()
  /** The current fatal refusal. */
  #refusal: RivuletError | undefined

  constructor(hub: HubState, given: Transport, limits: ConnectionLimits, events: ConnectionEvents) {
    if (takenTransports.has(given)) throw invalid('The transport belongs to another hub; make one for each.')
    takenTransports.add(given)
    const transport = outsideTransport(given)
    this.#hub = hub
    this.#given = given
    this.#transport = transport
    this.#timeouts = limits.timeouts
    this.#events = events
    this.everything = topicOf(hub.name, '')
    const joining: Joining = {
      join: (topic, signal, wanted) =>
        topic === this.everything ? transport.watch(hub.name, wanted) : transport.join(topic, signal),
      leave: (topic) => (topic === this.everything ? undefined : transport.leave(topic)),
    }
    this.joins = new Joins(hub, joining, events, limits.timeouts.joinMs)
    this.confirmations = new Confirmations(hub, transport, limits, this.joins)
  }

  get isUp(): boolean {
    return this.status === 'up'
  }

  /** The largest frame of several messages, in bytes. */
  get chunkBytes(): number {
    return this.confirmations.chunkBytes
  }

  /** Returns the largest frame that may be sent on a topic: 0 when the transport throws. */
  maxFrameBytes(topic: Topic): number {
    try {
      return this.#transport.capabilities.maxFrameBytes(topic)
    } catch (cause) {
      queueMicrotask(() => this.#events.failed(threw('maxFrameBytes', cause), topic))
      return 0
    }
  }

  /** Connects, and reconnects whenever the connection is lost, until `close`. */
  async run(): Promise<void> {
    const { environment } = this.#hub
    const { signal } = this.#closing
    while (!signal.aborted) {
      await this.#live()
      const soonMs = this.#backOff.nextMs(this.#hub)
      const waitMs = this.#refusal === undefined ? soonMs : REFUSED_RETRY_MS
      await withDeadline(environment, 'The wait', waitMs, signal, forever).catch(ignore)
    }
  }

  /**
   * Resolves when the connection is up and every join wanted by then has its outcome or is overdue. Rejects when
   * closed, on abort, and at once after a fatal refusal.
   */
  async ready(signal: AbortSignal | undefined): Promise<void> {
    for (;;) {
      this.#closing.signal.throwIfAborted()
      if (this.#refusal !== undefined) throw this.#refusal
      const connection = this.#current.signal
      if (!this.isUp) await this.#outcome(signal)
      else {
        await abortable(this.joins.answered(connection), signal)
        if (!connection.aborted) break
      }
    }
    // The streams of a closing hub give up the joins for which this waited.
    if (this.#hub.isClosed) throw this.#closed()
  }

  /**
   * Sends one frame of a stream; its messages count as in flight. `follows`: followers of some of them, called only if
   * the frame was sent.
   */
  send(
    state: StreamState,
    topic: Topic,
    frame: Uint8Array,
    messages: number,
    follows?: readonly Follow[],
  ): 'sent' | LossReason {
    if (!this.confirmations.hasCapacity(frame.length)) return 'congested'
    try {
      if (!this.isUp || this.#transport.send(topic, frame) === 'offline') return 'offline'
    } catch (cause) {
      queueMicrotask(() => this.#events.failed(threw('send', cause), topic)) // the rest of the frame goes first
      return 'failed'
    }
    this.confirmations.add(state, messages, frame.length, follows)
    return 'sent'
  }

  /** The longest wait of a closing hub for the capacity of kept values, in milliseconds. */
  get lastCapacityMs(): number {
    return this.#timeouts.closeMs * CAPACITY_PART
  }

  /** Flushes and disconnects within `closeMs`, of which `spentMs` have passed, whatever the broker does. Called once. */
  async close(spentMs: number, flush: () => Promise<unknown>): Promise<void> {
    const { environment } = this.#hub
    const { closeMs } = this.#timeouts
    const flushMs = Math.max(closeMs * FLUSH_PART - spentMs, closeMs * (FLUSH_PART - CAPACITY_PART))
    await withDeadline(environment, 'The last flush', flushMs, undefined, flush).catch(ignore)
    const closed = this.#closed()
    this.#closing.abort(closed)
    this.#setStatus('closed')
    this.#wake()
    this.#current.abort(closed)
    await this.#disconnect(undefined)
    takenTransports.delete(this.#given)
  }

  /** Runs one connection until it is lost. */
  async #live(): Promise<void> {
    const { environment, clock } = this.#hub
    const current = new AbortController()
    this.#current = current
    const { signal } = current
    const host = this.#hostOf(current)
    const open = (deadline: AbortSignal) => {
      const task = () => this.#transport.open(host, deadline)
      if (!connecting.hasSubscribers) return task()
      return connecting.tracePromise(task, { hub: this.#hub.name, transport: this.#transport.name })
    }
    let upSinceMs = Infinity
    let cause: unknown
    try {
      await withDeadline(environment, 'Connecting', this.#timeouts.openMs, signal, open)
      upSinceMs = clock.nowMs()
      this.#rise(current)
      await abortable(forever(), signal)
    } catch (error) {
      cause = error
    }
    current.abort()
    if (this.#closing.signal.aborted) return
    this.#fail(cause)
    this.#setStatus('down')
    await this.#disconnect(cause)
    if (clock.nowMs() - upSinceMs > GOOD_CONNECTION_MS) this.#backOff.reset()
  }

  #hostOf(connection: AbortController): TransportHost {
    const { receive, watched, failed } = this.#events
    const { signal } = connection
    return {
      hub: this.#hub.name,
      timeouts: this.#timeouts,
      receive: (topic, frame) => {
        if (signal.aborted) return
        this.confirmations.received()
        receive(topic, frame)
      },
      watched: (topic, frame) => {
        if (signal.aborted) return
        this.confirmations.received()
        watched(topic, frame)
      },
      progress: (isCongested) => {
        if (!signal.aborted) this.confirmations.progressed(isCongested)
      },
      down: (cause = new Error('the connection ended')) => connection.abort(cause),
      error: (topic, cause) => {
        if (signal.aborted) return
        const error = reported(cause)
        this.confirmations.doubt(topic, error)
        failed(error, topic)
      },
      left: (topic = this.everything, cause) => (signal.aborted ? undefined : this.joins.left(topic, cause)),
    }
  }

  #rise(connection: AbortController): void {
    this.#refusal = undefined
    this.#reportedCauses.clear()
    this.failedAttempts = 0
    const { prefixes } = this.#transport.capabilities
    if (prefixes !== undefined) this.#events.prefixesGiven(prefixes)
    this.confirmations.start(connection)
    this.#setStatus('up')
    this.joins.connect(connection.signal)
    this.#wake()
  }

  /** Resolves when the connection is up, refused or closed. A wait that the signal ended leaves nothing behind. */
  async #outcome(signal: AbortSignal | undefined): Promise<void> {
    const { promise, resolve } = deferred()
    this.#waiting.add(resolve)
    try {
      await abortable(promise, signal)
    } finally {
      this.#waiting.delete(resolve)
    }
  }

  #wake(): void {
    for (const resolve of this.#waiting) resolve()
  }

  /** Reports why the connection was lost, or was not made; once for attempts that fail for the same reason. */
  #fail(cause: unknown): void {
    const what = `No connection over ${this.#transport.name}`
    const known = RivuletError.is(cause) ? cause : failure('TRANSPORT_UNAVAILABLE', what, cause)
    const error = named(known, this.#hub.name)
    this.#refusal = error.code === 'TRANSPORT_FAILED' ? error : undefined
    if (this.#refusal !== undefined) this.#wake()
    if (!this.isUp) {
      this.failedAttempts++
      this.joins.forgive()
    }
    if (this.#reportedCauses.has(error.message)) return
    if (this.#reportedCauses.size === MOST_CAUSES) this.#reportedCauses.clear()
    this.#reportedCauses.add(error.message)
    this.#events.failed(error)
  }

  /** Closes the connection; when closed on purpose, pending frames are sent first, within a short deadline. */
  async #disconnect(cause: unknown): Promise<void> {
    this.joins.disconnect(cause)
    this.confirmations.stop()
    const { environment } = this.#hub
    let closed: Promise<void> | undefined
    const close = (handOver: AbortSignal) => {
      closed = this.#transport.close(handOver)
      return closed
    }
    const parent = cause === undefined ? undefined : AbortSignal.abort()
    const mostMs = cause === undefined ? this.#timeouts.closeMs * CLOSE_PART : DROP_TIMEOUT_MS
    await withDeadline(environment, 'Handing over', mostMs, parent, close).catch(ignore)
    await withDeadline(environment, 'Closing', mostMs, undefined, async () => closed).catch(ignore)
  }

  #closed(): RivuletError {
    return new RivuletError('HUB_CLOSED', 'The hub was closed.', { hub: this.#hub.name })
  }

  #setStatus(status: ConnectionStatus): void {
    if (this.status === status) return
    this.status = status
    this.#events.statusChanged(status)
  }
}

async function forever(): Promise<never> {
  return new Promise(() => {})
}

function ignore(): void {}
