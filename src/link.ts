import type { Shape } from './canonical-json.ts'
import { abortable, pause, withDeadline } from './deadline.ts'
import { type Deferred, deferred } from './deferred.ts'
import { RivuletError } from './errors.ts'
import { InFlight } from './in-flight.ts'
import { Joins } from './joins.ts'
import type { Counters } from './ledger.ts'
import { invalid } from './options.ts'
import type { LossReason, Outbox, Sender } from './outbox.ts'
import type { Topic } from './topic.ts'
import type { Transport, TransportHost } from './transport.ts'
import { Utf8Writer } from './utf8.ts'

/** How long opening, the last flush and closing may take, each. */
const OPEN_TIMEOUT_MS = 5_000
const FLUSH_TIMEOUT_MS = 2_000
const CLOSE_TIMEOUT_MS = 1_000
/** Exponential back-off with jitter between attempts to connect: the least and the most that it waits. */
const FIRST_RETRY_MS = 100
const LAST_RETRY_MS = 5_000
/** After a refusal that trying again will hardly change: credentials, a certificate. */
const REFUSED_RETRY_MS = 30_000
/** A connection that lived this long was a good one: the back-off starts anew. */
const GOOD_CONNECTION_MS = 5_000

/** The transports of open hubs. A second hub would end the connection of the first, which would not notice. */
const takenTransports = new WeakSet<Transport>()

export type LinkStatus = 'opening' | 'up' | 'down' | 'closed'

/** What the link tells the hub. */
export interface LinkOwner {
  nowMs(): number
  statusChanged(status: LinkStatus): void
  /** `topic`: the stream that it concerns, when known. */
  failed(error: Error, topic?: Topic): void
  /** A frame came of a topic that no stream has joined. */
  receivedUnasked(): void
}

/** A hub's connection: opens it, opens it again whenever it is gone, and carries frames both ways. */
export class Link implements Sender {
  readonly joins: Joins
  readonly shapes: Shape[] = []
  readonly utf8 = new Utf8Writer()
  inFlight: InFlight
  readonly #transport: Transport
  readonly #owner: LinkOwner
  readonly #newInFlight: () => InFlight
  readonly #closing = new AbortController()
  /** Aborted when the connection that lives now, if one does, is gone. */
  #connection = new AbortController()
  #dirty: Outbox[] = []
  readonly #waiting = new Set<Deferred>()
  #status: LinkStatus = 'opening'
  /** A fatal refusal that stands. */
  #refusal: RivuletError | undefined

  constructor(transport: Transport, owner: LinkOwner, maxInFlightBytes: number) {
    if (takenTransports.has(transport))
      throw invalid('The transport belongs to another hub; make one for each.')
    takenTransports.add(transport)
    this.#transport = transport
    this.#owner = owner
    this.joins = new Joins(transport)
    const barrier = {
      nowMs: () => owner.nowMs(),
      flush: (signal: AbortSignal) => transport.flush(signal),
      dead: (cause: Error) => this.#connection.abort(cause),
    }
    this.#newInFlight = () => new InFlight(barrier, maxInFlightBytes)
    this.inFlight = this.#newInFlight()
  }

  get status(): LinkStatus {
    return this.#status
  }

  get isUp(): boolean {
    return this.#status === 'up'
  }

  maxFrameBytes(topic: Topic): number {
    return this.#transport.capabilities.maxFrameBytes(topic)
  }

  /** Connects, and again whenever the connection is gone, until `close`. */
  async run(): Promise<void> {
    let attempt = 0
    while (!this.#closing.signal.aborted) {
      const upForMs = await this.#live()
      attempt = upForMs > GOOD_CONNECTION_MS ? 0 : attempt + 1
      await pause(this.#refusal === undefined ? retryMs(attempt) : REFUSED_RETRY_MS, this.#closing.signal)
    }
  }

  /** Resolves when up; rejects when closed, on abort, and at once while a fatal refusal stands. */
  async ready(signal: AbortSignal | undefined): Promise<void> {
    if (this.isUp) return
    if (this.#refusal !== undefined) throw this.#refusal
    const waiter = deferred()
    this.#waiting.add(waiter)
    await abortable(waiter.promise, signal).finally(() => this.#waiting.delete(waiter))
  }

  send(topic: Topic, frame: Uint8Array, counters: Counters, messages: number): 'sent' | LossReason {
    if (!this.inFlight.hasRoom(frame.length)) return 'congested'
    try {
      if (this.#transport.send(topic, frame) === 'offline') return 'offline'
    } catch (error) {
      this.#owner.failed(failure('send', error))
      return 'failed'
    }
    this.inFlight.add(counters, messages, frame.length)
    return 'sent'
  }

  soon(outbox: Outbox): void {
    // Scheduled first: when the stack is exhausted, nothing waits for a flush that does not come.
    if (this.#dirty.length === 0) queueMicrotask(() => this.#flushOutboxes())
    this.#dirty.push(outbox)
  }

  reportTooLarge(topic: Topic, bytes: number): void {
    const advice = 'lower maxBytes, or raise the limit of the broker'
    const message = `A message makes a frame of ${bytes} bytes, the broker takes ${this.maxFrameBytes(topic)}; ${advice}.`
    this.#owner.failed(new RivuletError('TRANSPORT_FAILED', message), topic)
  }

  /** Resolves when everything published before is confirmed, unconfirmed or lost. */
  async flush(): Promise<void> {
    await undefined // what waits for a running fan-out reaches its outbox before this goes on
    this.#flushOutboxes()
    await this.inFlight.settled()
  }

  /** Flushes and disconnects, in bounded time whatever the broker does. Called once. */
  async close(): Promise<void> {
    if (this.isUp)
      await withDeadline('The last flush', FLUSH_TIMEOUT_MS, undefined, () => this.flush()).catch(ignore)
    this.#flushOutboxes()
    const closed = new RivuletError('HUB_CLOSED', 'The hub was closed.')
    this.#closing.abort()
    this.#setStatus('closed')
    for (const waiter of this.#waiting) waiter.reject(closed)
    this.#connection.abort(closed)
    await this.#disconnect(CLOSE_TIMEOUT_MS)
    takenTransports.delete(this.#transport)
  }

  /** Lives through one connection; resolves, when it is gone, to how long it was up. */
  async #live(): Promise<number> {
    this.#connection = new AbortController()
    const { signal } = this.#connection
    const host = this.#hostOf(this.#connection)
    let upSinceMs: number | undefined
    try {
      await withDeadline('Connecting', OPEN_TIMEOUT_MS, signal, (deadline) =>
        this.#transport.open(host, deadline),
      )
      await abortable(this.joins.connect(), signal)
      upSinceMs = this.#owner.nowMs()
      this.#rise()
      await abortable(new Promise<never>(() => {}), signal)
    } catch (error) {
      this.#failedWith(error)
    }
    this.#connection.abort()
    if (this.#closing.signal.aborted) return 0
    this.#setStatus('down')
    await this.#disconnect(0)
    return upSinceMs === undefined ? 0 : this.#owner.nowMs() - upSinceMs
  }

  #hostOf(connection: AbortController): TransportHost {
    const { signal } = connection
    return {
      receive: (topic, frame) => {
        if (signal.aborted) return
        const member = this.joins.memberOf(topic)
        if (member === undefined) this.#owner.receivedUnasked()
        else member.receive(frame)
      },
      down: (cause = new Error('the connection ended')) => connection.abort(cause),
      error: (topic, cause) => {
        if (!signal.aborted) this.#owner.failed(cause, topic)
      },
      left: (topic, cause) => {
        if (!signal.aborted) this.joins.left(topic, cause)
      },
    }
  }

  #rise(): void {
    this.#refusal = undefined
    this.#setStatus('up')
    for (const waiter of this.#waiting) waiter.resolve()
  }

  #failedWith(cause: unknown): void {
    if (this.#closing.signal.aborted) return
    const error = RivuletError.is(cause) ? cause : away(this.#transport.name, cause)
    this.#refusal = error.code === 'TRANSPORT_FAILED' ? error : undefined
    this.#owner.failed(error)
    if (this.#refusal === undefined) return
    for (const waiter of this.#waiting) waiter.reject(error)
  }

  /** Drops what is left of a connection: it may hand over for `timeoutMs`, and is soon not waited for any more. */
  async #disconnect(timeoutMs: number): Promise<void> {
    this.joins.disconnect()
    this.inFlight.abandon()
    this.inFlight = this.#newInFlight()
    const handOver = new AbortController()
    if (timeoutMs === 0) handOver.abort()
    const timer = setTimeout(() => handOver.abort(), timeoutMs)
    const task = () => this.#transport.close(handOver.signal)
    await withDeadline('Closing', timeoutMs + CLOSE_TIMEOUT_MS, undefined, task).catch(ignore)
    clearTimeout(timer)
  }

  #flushOutboxes(): void {
    const dirty = this.#dirty
    this.#dirty = []
    for (const outbox of dirty) outbox.flush()
  }

  #setStatus(status: LinkStatus): void {
    if (this.#status === status) return
    this.#status = status
    this.#owner.statusChanged(status)
  }
}

function retryMs(attempt: number): number {
  const mostMs = Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.max(1, attempt))
  return mostMs * (0.5 + Math.random() / 2)
}

function away(name: string, cause: unknown): RivuletError {
  const reason = cause instanceof Error ? cause.message.replace(/\.$/, '') : 'the connection ended'
  return new RivuletError('TRANSPORT_UNAVAILABLE', `No connection over ${name}: ${reason}. Trying again.`, {
    cause,
  })
}

function failure(what: string, cause: unknown): RivuletError {
  return new RivuletError('TRANSPORT_FAILED', `The transport's ${what} threw; report it to its maker.`, {
    cause,
  })
}

function ignore(): void {}
