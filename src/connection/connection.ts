import { abortable, withDeadline } from '../base/deadline.ts'
import { type Deferred, deferred } from '../base/deferred.ts'
import { invalid, messageOf, named, RivuletError } from '../model/errors.ts'
import type { Counters, LossReason } from '../model/ledger.ts'
import type { HubState } from '../model/stream-state.ts'
import type { Topic } from '../model/topic.ts'
import type { Transport, TransportHost } from '../model/transport.ts'
import { retryMs } from './back-off.ts'
import { Confirmations } from './confirmations.ts'
import { type ConnectionEvents, type ConnectionStatus, Joins } from './joins.ts'

/** How long opening, the last flush and closing may take, each. */
const OPEN_TIMEOUT_MS = 5_000
const FLUSH_TIMEOUT_MS = 2_000
const CLOSE_TIMEOUT_MS = 1_000
/** After a refusal that trying again will hardly change: credentials, a certificate. */
const REFUSED_RETRY_MS = 30_000
/** A connection that lived this long was a good one: the back-off starts anew. */
const GOOD_CONNECTION_MS = 5_000

/** Brands the transports of open hubs: a second hub would end the connection of the first, which would not notice. */
const takenTransports = new WeakSet<Transport>()

/** A hub's connection: opens it, opens it again whenever it is gone, and carries frames both ways. */
export class Connection {
  readonly joins: Joins
  readonly confirmations: Confirmations
  readonly #hub: HubState
  readonly #transport: Transport
  readonly #events: ConnectionEvents
  readonly #closing = new AbortController()
  /** Aborted when the connection that lives now, if one does, is gone. */
  #current = new AbortController()
  readonly #waiting = new Set<Deferred>()
  #status: ConnectionStatus = 'opening'
  #failedAttempts = 0
  #lastCause: string | undefined
  /** A fatal refusal that stands. */
  #refusal: RivuletError | undefined

  constructor(hub: HubState, transport: Transport, maxInFlightBytes: number, events: ConnectionEvents) {
    if (takenTransports.has(transport))
      throw invalid('The transport belongs to another hub; make one for each.')
    takenTransports.add(transport)
    this.#hub = hub
    this.#transport = transport
    this.#events = events
    this.joins = new Joins(hub, transport, {
      ...events,
      joinChanged: (topic, change) => {
        if (change === 'joined') this.confirmations.schedule()
        events.joinChanged(topic, change)
      },
    })
    const isListening = () => this.joins.size > 0
    const onDead = (cause: unknown) => this.#current.abort(cause)
    this.confirmations = new Confirmations(hub, transport, maxInFlightBytes, isListening, onDead)
  }

  get status(): ConnectionStatus {
    return this.#status
  }

  get isUp(): boolean {
    return this.#status === 'up'
  }

  /** Attempts to connect that failed since the connection was up. */
  get failedAttempts(): number {
    return this.#failedAttempts
  }

  maxFrameBytes(topic: Topic): number {
    return this.#transport.capabilities.maxFrameBytes(topic)
  }

  /** Connects, and again whenever the connection is gone, until `close`. */
  async run(): Promise<void> {
    const { clock, environment } = this.#hub
    let attempt = 0
    let failingSinceMs = 0
    while (!this.#closing.signal.aborted) {
      const upForMs = await this.#live()
      if (this.#closing.signal.aborted) return
      if (upForMs > GOOD_CONNECTION_MS) attempt = 0
      if (attempt++ === 0) failingSinceMs = clock.nowMs()
      const waitMs = retryMs(attempt, clock.nowMs() - failingSinceMs, () => environment.random())
      await this.#pause(this.#refusal === undefined ? waitMs : REFUSED_RETRY_MS)
    }
  }

  /**
   * Resolves when the connection is up and every join that is wanted then is answered or overdue. Rejects when
   * closed, on abort, and at once while a fatal refusal stands.
   */
  async ready(signal: AbortSignal | undefined): Promise<void> {
    do {
      if (!this.isUp) await this.#up(signal)
      await abortable(abortable(this.joins.answered(), signal), this.#closing.signal)
    } while (!this.isUp)
  }

  /** Hands over one frame with so many messages in it, which `counters` count as in flight. */
  send(topic: Topic, frame: Uint8Array, counters: Counters, messages: number): 'sent' | LossReason {
    if (!this.isUp) return 'offline'
    if (!this.confirmations.hasRoom(frame.length)) return 'congested'
    try {
      if (this.#transport.send(topic, frame) === 'offline') return 'offline'
    } catch (cause) {
      const message = "The transport's send threw; report it to its maker."
      const error = new RivuletError('TRANSPORT_FAILED', message, { cause })
      queueMicrotask(() => this.#events.failed(error, topic)) // the rest of the frame goes first
      return 'failed'
    }
    this.confirmations.add(counters, messages, frame.length)
    return 'sent'
  }

  /** Flushes and disconnects, in bounded time whatever the broker does. Called once. */
  async close(flush: () => Promise<void>): Promise<void> {
    const { environment } = this.#hub
    if (this.isUp) {
      await withDeadline(environment, 'The last flush', FLUSH_TIMEOUT_MS, undefined, flush).catch(ignore)
    }
    const closed = new RivuletError('HUB_CLOSED', 'The hub was closed.', { hub: this.#hub.name })
    this.#closing.abort(closed)
    this.#setStatus('closed')
    for (const waiter of this.#waiting) waiter.reject(closed)
    this.#current.abort(closed)
    await this.#disconnect(undefined, CLOSE_TIMEOUT_MS)
    takenTransports.delete(this.#transport)
  }

  /** Runs one connection until it is lost; resolves to its uptime in ms. */
  async #live(): Promise<number> {
    const { environment, clock } = this.#hub
    this.#current = new AbortController()
    const { signal } = this.#current
    const host = this.#hostOf(signal)
    let upSinceMs: number | undefined
    let cause: unknown
    try {
      await withDeadline(environment, 'Connecting', OPEN_TIMEOUT_MS, signal, (deadline) =>
        this.#transport.open(host, deadline),
      )
      upSinceMs = clock.nowMs()
      this.#rise()
      await abortable(new Promise<never>(() => {}), signal)
    } catch (error) {
      cause = error
    }
    this.#current.abort()
    if (this.#closing.signal.aborted) return 0
    if (upSinceMs === undefined) this.#failedAttempts++
    this.#fail(cause)
    this.#setStatus('down')
    await this.#disconnect(upSinceMs === undefined ? undefined : cause, 0)
    return upSinceMs === undefined ? 0 : clock.nowMs() - upSinceMs
  }

  #hostOf(signal: AbortSignal): TransportHost {
    const { receive, failed } = this.#events
    return {
      receive: (topic, frame) => {
        if (!signal.aborted) receive(topic, frame)
      },
      down: (cause = new Error('the connection ended')) => {
        if (!signal.aborted) this.#current.abort(cause)
      },
      error: (topic, cause) => {
        if (!signal.aborted) failed(refused(cause), topic)
      },
      left: (topic, cause) => {
        if (!signal.aborted) this.joins.left(topic, cause)
      },
    }
  }

  #rise(): void {
    this.#refusal = undefined
    this.#lastCause = undefined
    this.#failedAttempts = 0
    this.#setStatus('up')
    if (this.#current.signal.aborted) return // by a listener of `status` that closed the hub
    this.confirmations.start()
    this.joins.connect()
    for (const waiter of this.#waiting) waiter.resolve()
  }

  /** Reports why the connection is gone, or was not made: not again for each attempt that fails for the same reason. */
  #fail(cause: unknown): void {
    const known = RivuletError.is(cause) ? cause : away(this.#transport.name, cause)
    const error = named(known, this.#hub.name)
    this.#refusal = error.code === 'TRANSPORT_FAILED' ? error : undefined
    const isNew = this.#lastCause !== error.message
    this.#lastCause = error.message
    if (isNew) this.#events.failed(error)
    if (this.#refusal === undefined) return
    for (const waiter of this.#waiting) waiter.reject(error)
  }

  /** Drops what is left of a connection: it may hand over for `timeoutMs`, and is soon not waited for any more. */
  async #disconnect(cause: unknown, timeoutMs: number): Promise<void> {
    const { environment } = this.#hub
    this.joins.disconnect(cause)
    this.confirmations.stop()
    const handOver = new AbortController()
    if (timeoutMs === 0) handOver.abort()
    const cancel = environment.setTimer(() => handOver.abort(), timeoutMs, true)
    const task = () => this.#transport.close(handOver.signal)
    await withDeadline(environment, 'Closing', timeoutMs + CLOSE_TIMEOUT_MS, undefined, task).catch(ignore)
    cancel()
  }

  async #up(signal: AbortSignal | undefined): Promise<void> {
    if (this.#refusal !== undefined) throw this.#refusal
    const waiter = deferred()
    this.#waiting.add(waiter)
    await abortable(waiter.promise, signal).finally(() => this.#waiting.delete(waiter))
  }

  async #pause(waitMs: number): Promise<void> {
    const over = deferred()
    const cancel = this.#hub.environment.setTimer(() => over.resolve(), waitMs, true)
    await abortable(over.promise, this.#closing.signal).catch(ignore)
    cancel()
  }

  #setStatus(status: ConnectionStatus): void {
    if (this.#status === status) return
    this.#status = status
    this.#events.statusChanged(status)
  }
}

/** An adapter tells what it knows; what is no `RivuletError` yet becomes one. */
function refused(cause: unknown): RivuletError {
  if (RivuletError.is(cause)) return cause
  return new RivuletError('TRANSPORT_FAILED', `The broker refused: ${messageOf(cause)}`, { cause })
}

function away(name: string, cause: unknown): RivuletError {
  const reason = cause instanceof Error ? cause.message.replace(/\.$/, '') : 'the connection ended'
  const message = `No connection over ${name}: ${reason}. Trying again.`
  return new RivuletError('TRANSPORT_UNAVAILABLE', message, { cause })
}

function ignore(): void {}
