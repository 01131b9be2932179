import { type Observable, observable } from 'rxjs'
import { Events } from '../base/events.ts'
import { Subscription } from '../deliver/subscription.ts'
import { invalid, shown } from '../errors/errors.ts'
import { Refusal } from '../errors/refusal.ts'
import { listenerFailed } from '../errors/report.ts'
import type { Message } from '../message/message.ts'
import type { Snapshot } from '../message/snapshot-type.ts'
import {
  type Budget,
  budgetOf,
  publish,
  publishConfirmed,
  publishLatest,
  publishWhenReady,
} from '../publish/publish.ts'
import type { Listener } from '../state/deliver-part.ts'
import type { Ledger } from '../state/ledger.ts'
import type { LifetimePart } from '../state/lifetime-part.ts'
import {
  checkFunction,
  checkOptions,
  checkSignalOption,
  checkTtl,
  type ResolvedOptions,
  type SignalOption,
} from '../state/options.ts'
import { STREAM_EVENTS, type StreamEvents } from '../state/stream-events.ts'
import { assertOpen, type HubState, StreamState } from '../state/stream-state.ts'
import { endStream } from './ending.ts'
import { setTtl } from './expiry.ts'
import { watchIdleness } from './idleness.ts'
import { type IterateOptions, MessageIterator, type StreamIterator } from './iterator.ts'
import { StreamObservable, type StreamSubject, subjectOf } from './rxjs.ts'

/** The result of `tryPublish`. */
export type PublishResult<Data> = { readonly ok: true; readonly message: Message<Data> } | Refusal

type EventListener<Payload> = (payload: Payload) => unknown

/**
 * A named stream of small JSON messages. Subscribers receive every message, in this process and, over the hub's
 * transport, in others; nothing is stored. `In` is the type of published data, `Out` that of `message.data`. Returned
 * by `hub.stream(name)`. A bare `Stream` as a type is the type of every stream.
 */
// biome-ignore lint/suspicious/noExplicitAny: a bare Stream is the supertype of all streams
export class Stream<In extends object = any, Out = Snapshot<In>> {
  readonly #name: string
  readonly #hub: HubState
  readonly #options: ResolvedOptions
  /** Made when first needed: an idle stream is small. */
  #state: StreamState | undefined
  #messages$: Observable<Message<Out>> | undefined
  #subject: StreamSubject<In, Out> | undefined

  /** Made by the hub. */
  constructor(name: string, hub: HubState, options: ResolvedOptions) {
    this.#name = name
    this.#hub = hub
    this.#options = options
    if (options.ttlSeconds > 0) setTtl(this.#inside, options.ttlSeconds)
    if (options.idleTtlSeconds > 0) watchIdleness(this.#inside, options.idleTtlSeconds)
  }

  /** Returns the state of a stream, if it was used yet. For the hub. */
  static stateOf(stream: Stream): StreamState | undefined {
    return stream.#state
  }

  /** Makes a newly opened stream end with its last handle. For the hub. */
  static endWithLastHandle(stream: Stream): void {
    const state: StreamState & LifetimePart = stream.#inside
    state.handles = { count: 0, endsWithLast: true }
  }

  /** Called when `hub.stream` returned the stream: its last handle does not end it any more. For the hub. */
  static givenOut(stream: Stream): void {
    const state = stream.#state
    if (state?.handles !== undefined) state.handles.endsWithLast = false
    state?.idle?.used()
  }

  /** Returns the state of a stream, made if needed. For its handles. */
  static insideOf(stream: Stream): StreamState {
    return stream.#inside
  }

  /** Returns the options of a stream. For the hub. */
  static optionsOf(stream: Stream): ResolvedOptions {
    return stream.#options
  }

  /** The name, as given to `hub.stream`. */
  get name(): string {
    return this.#name
  }

  /** Whether it has ended: closed, released, idle, removed, expired, or its hub closed. */
  get closed(): boolean {
    return this.#state?.isClosed === true
  }

  /**
   * Publishes data whose JSON is an object, synchronously: subscribers in this process have been called when it
   * returns, the transport has the message at the end of the tick. Throws a `RivuletError` when refused:
   * `INVALID_DATA`, `PAYLOAD_TOO_LARGE`, `RATE_LIMITED`, `SCHEMA_MISMATCH`, `INVALID_OPTIONS`,
   * `QUEUE_FULL`, `STREAM_CLOSED`, `HUB_CLOSED`. Use `tryPublish` where refusals are ordinary.
   */
  publish(data: In): Message<Out> {
    const outcome = publish(this.#inside, data)
    if (outcome instanceof Refusal) throw outcome.error
    return outcome as Message<Out>
  }

  /** Publishes like `publish`, but returns a refusal as a value. A refusal is cheap: its error is made only when read. */
  tryPublish(data: In): PublishResult<Out> {
    const outcome = publish(this.#inside, data)
    return outcome instanceof Refusal ? outcome : { ok: true, message: outcome as Message<Out> }
  }

  /**
   * Publishes as soon as the rate limit has capacity, first come first served, and not before the hub is up for the
   * first time; later it waits for no connection. The data is checked and copied at the call. Rejects with a
   * `RivuletError` (`QUEUE_FULL` past `maxWaiting`), or with `signal.reason`. A rejection without a handler is
   * not reported as unhandled: the ledger counts it.
   */
  publishWhenReady(data: In, options?: SignalOption): Promise<Message<Out>> {
    const published = publishWhenReady(this.#inside, data, options) as Promise<Message<Out>>
    published.catch(() => {}) // another process that removes the stream must not end this one
    return published
  }

  /**
   * Publishes like `publish`, and resolves to the message when the broker has confirmed it; without a transport, when
   * it was delivered here. Does not wait for capacity. Rejects with the `RivuletError` of a refusal; with `LOST` when
   * the message certainly did not reach the broker; with `UNCONFIRMED` when it may have. A `signal` that aborts ends
   * only the wait (`UNCONFIRMED`), unless it had aborted before the call. A rejection without a handler is not reported
   * as unhandled: the ledger counts it.
   */
  publishConfirmed(data: In, options?: SignalOption): Promise<Message<Out>> {
    const confirmed = publishConfirmed(this.#inside, data, options) as Promise<Message<Out>>
    confirmed.catch(() => {})
    return confirmed
  }

  /**
   * Publishes now and returns the message, or keeps the value until there is capacity and returns `undefined`. A newer
   * value of the same key replaces a kept one, which is counted `conflated`. Throws like `publish`.
   */
  publishLatest(data: In, options?: { readonly key?: unknown }): Message<Out> | undefined {
    const base: { key?: unknown } = {}
    const { key } =
      options === undefined ? base : checkOptions('publishLatest', options, base, { key: (key) => key })
    const outcome = publishLatest(this.#inside, data, key)
    if (outcome instanceof Refusal) throw outcome.error
    return outcome as Message<Out> | undefined
  }

  /**
   * Calls `listener` with every message from now on, in the order in which subscribers subscribed. If it throws, or
   * returns a promise that rejects, the others still run and the error is counted and reported. `signal`
   * unsubscribes. Throws `INVALID_OPTIONS`, `STREAM_CLOSED`, `HUB_CLOSED`.
   */
  subscribe(listener: (message: Message<Out>) => unknown, options?: SignalOption): Subscription {
    checkFunction('listener', listener)
    return Subscription.open(this.#inside, listener as Listener, checkSignalOption('subscribe', options))
  }

  /** The messages as an RxJS Observable, one object for all callers. Completes when the stream ends. */
  get messages$(): Observable<Message<Out>> {
    this.#messages$ ??= new StreamObservable(this.#inside)
    return this.#messages$
  }

  /**
   * The stream as an RxJS Subject: `source$.subscribe(stream.subject)` publishes; refusals are counted. A source that
   * completes ends nothing here; one that fails is reported as `SOURCE_FAILED`.
   */
  get subject(): StreamSubject<In, Out> {
    this.#subject ??= subjectOf(this.#inside, this.messages$)
    return this.#subject
  }

  /**
   * Subscribes at the call and returns an async iterator over a bounded buffer; overflowing messages are counted as
   * `iteratorDrops`. When the stream ends, the buffered messages come first. Throws `INVALID_OPTIONS`, `STREAM_CLOSED`,
   * `HUB_CLOSED`.
   */
  iterate(options?: IterateOptions<Out>): StreamIterator<Out> {
    return new MessageIterator<Out>(this.#inside, options)
  }

  /** Iterates with the default options. */
  [Symbol.asyncIterator](): StreamIterator<Out> {
    return this.iterate()
  }

  /**
   * Calls `listener` at every such event. If it throws, the others still run and the error is counted. Throws
   * `INVALID_OPTIONS`, `STREAM_CLOSED`, `HUB_CLOSED`.
   */
  on<Name extends keyof StreamEvents>(event: Name, listener: EventListener<StreamEvents<Out>[Name]>): this {
    return this.#listen(event, listener, false)
  }

  /** Calls `listener` at the next such event only. Throws like `on`. */
  once<Name extends keyof StreamEvents>(event: Name, listener: EventListener<StreamEvents<Out>[Name]>): this {
    return this.#listen(event, listener, true)
  }

  /** Removes a listener of `on` or `once`; a running emit does not call it either. Throws `INVALID_OPTIONS`. */
  off<Name extends keyof StreamEvents>(event: Name, listener: EventListener<StreamEvents<Out>[Name]>): this {
    checkEvent(STREAM_EVENTS, event, listener)
    this.#state?.events?.off(event, listener)
    return this
  }

  /** Returns the number of messages that may be published now, and the wait for the next. */
  budget(): Budget {
    assertOpen(this.#inside)
    return budgetOf(this.#inside)
  }

  /** The time to live in seconds, counted from the call that set it; 0 for never. */
  get ttlSeconds(): number {
    return this.#state?.ttlSeconds ?? 0
  }

  /** The date at which the stream expires, or `null` for never. */
  get expiresAt(): Date | null {
    const expiresAtMs = this.#state?.expiresAtMs
    return expiresAtMs === undefined ? null : new Date(expiresAtMs)
  }

  /** Sets the time to live: whole seconds from now, up to 31 536 000; 0 for never. Publishing does not move it. */
  setTtl(seconds: number): void {
    assertOpen(this.#inside)
    setTtl(this.#inside, checkTtl(seconds))
  }

  /** Ends the stream here, and in the other processes that subscribe to it and accept removal. */
  remove(): void {
    endStream(this.#inside, 'removed')
  }

  /** Ends the stream here: no listener is called any more; messages accepted before are still sent. */
  close(): void {
    endStream(this.#inside, this.#hub.isClosed ? 'hubClosed' : 'closed')
  }

  /** Returns the outcomes of all attempts and all received messages. */
  ledger(): Ledger {
    return this.#inside.counters.ledger()
  }

  /** Shows the name, whether it is closed, and the counts in Node's `console.log`. */
  [Symbol.for('nodejs.util.inspect.custom')](): object {
    return { stream: this.#name, hub: this.#hub.name, closed: this.closed, ledger: this.ledger() }
  }

  get #inside(): StreamState {
    this.#state ??= new StreamState(this.#name, this.#hub, this.#options)
    return this.#state
  }

  #listen(event: keyof StreamEvents, listener: EventListener<never>, isOnce: boolean): this {
    const state: StreamState & LifetimePart = this.#inside
    assertOpen(state)
    checkEvent(STREAM_EVENTS, event, listener)
    state.events ??= new Events((error, thrower, isRejection) =>
      listenerFailed(state, error, isRejection, thrower),
    )
    state.events.on(event, listener, isOnce)
    return this
  }
}

// Gives `messages$` to `from()` and other libraries that know `Symbol.observable`. Not in the class: RxJS declares the
// key as a text or a symbol, which no declaration of a class may have as a key.
Object.defineProperty(Stream.prototype, observable, {
  value(this: Stream) {
    return this.messages$
  },
  writable: true,
  configurable: true,
})

/** Checks the arguments of `on`, `once` and `off`. Throws `INVALID_OPTIONS`. */
export function checkEvent(events: readonly string[], event: unknown, listener: unknown): void {
  if (!events.includes(event as string)) {
    throw invalid(`There is no event ${shown(event)}; there are ${events.join(', ')}.`)
  }
  checkFunction('listener', listener)
}
