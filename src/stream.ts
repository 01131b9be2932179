import { type Observable, observable } from 'rxjs'
import type { Budget } from './admission.ts'
import type { Channel, StreamEvents } from './channel.ts'
import type { Ledger } from './ledger.ts'
import type { Message } from './message.ts'
import { type IterateOptions, MessageIterator } from './message-iterator.ts'
import { checkSignal, checkTtl, invalid } from './options.ts'
import { Refusal } from './refusal.ts'
import type { Snapshot } from './snapshot-type.ts'
import { observableOf, type StreamSubject, subjectOf } from './stream-subject.ts'
import type { Subscription } from './subscription.ts'

/** What `tryPublish` gives. */
export type PublishResult<Data> = { readonly ok: true; readonly message: Message<Data> } | Refusal

/**
 * A named stream of small JSON messages. Whoever is subscribed gets what is published, in this process and, over
 * the hub's transport, in others; nothing is stored. `In` is what is published, `Out` what subscribers get as
 * `message.data`. Got from `hub.stream(name)`.
 */
export class Stream<In extends object = object, Out = Snapshot<In>> {
  readonly #channel: Channel
  #messages$: Observable<Message<Out>> | undefined
  #subject: StreamSubject<In, Out> | undefined

  /** Made by the hub. */
  constructor(channel: Channel) {
    this.#channel = channel
  }

  /** Reaches inside, for the hub. */
  static channelOf(stream: Stream): Channel {
    return stream.#channel
  }

  /** The name, as given to `hub.stream`. */
  get name(): string {
    return this.#channel.name
  }

  /** Whether it has ended: closed, removed, expired, or its hub closed. */
  get closed(): boolean {
    return this.#channel.isClosed
  }

  /**
   * Publishes data whose JSON is an object, synchronously: subscribers in this process have been called when it
   * returns, the transport has the message at the end of the tick. Throws a `RivuletError` when refused:
   * `INVALID_DATA`, `PAYLOAD_TOO_LARGE`, `RATE_LIMITED`, `SCHEMA_MISMATCH`, `INVALID_OPTIONS`,
   * `WAITING_LINE_FULL`, `STREAM_CLOSED`, `HUB_CLOSED`. Use `tryPublish` where refusals are ordinary.
   */
  publish(data: In): Message<Out> {
    const outcome = this.#channel.admission.publish(data)
    if (outcome instanceof Refusal) throw outcome.error
    return outcome as Message<Out>
  }

  /** Publishes like `publish`, but a refusal is a value. Cheap when refused: its error is made only when read. */
  tryPublish(data: In): PublishResult<Out> {
    const outcome = this.#channel.admission.publish(data)
    return outcome instanceof Refusal ? outcome : { ok: true, message: outcome as Message<Out> }
  }

  /**
   * Publishes as soon as there is room in the rate limit, first come first served. The data is checked and copied
   * at the call. Rejects with a `RivuletError` (`WAITING_LINE_FULL` past `maxWaiting`), or with `signal.reason`.
   */
  publishWhenReady(data: In, options: { readonly signal?: AbortSignal } = {}): Promise<Message<Out>> {
    return this.#channel.admission.publishWhenReady(data, options.signal) as Promise<Message<Out>>
  }

  /**
   * Publishes now and returns the message, or keeps the value until there is room and returns `undefined`. A newer
   * value of the same key takes the place of a kept one, which is counted `conflated`. Throws like `publish`.
   */
  publishLatest(data: In, options: { readonly key?: unknown } = {}): Message<Out> | undefined {
    const outcome = this.#channel.admission.publishLatest(data, options.key)
    if (outcome instanceof Refusal) throw outcome.error
    return outcome as Message<Out> | undefined
  }

  /**
   * Calls `listener` with every message from now on, in the order in which subscribers came. What it throws, or a
   * promise it returns rejects with, is counted and reported, and hurts nobody. `signal` unsubscribes.
   */
  subscribe(
    listener: (message: Message<Out>) => unknown,
    options: { readonly signal?: AbortSignal } = {},
  ): Subscription {
    if (typeof listener !== 'function') throw invalid('subscribe takes a function.')
    checkSignal(options.signal)
    return this.#channel.subscribe(listener as (message: Message) => unknown, options.signal)
  }

  /** The messages as an RxJS Observable, shared by all who ask. Completes when the stream ends. */
  get messages$(): Observable<Message<Out>> {
    this.#messages$ ??= observableOf(this.#channel)
    return this.#messages$
  }

  /** The stream as an RxJS Subject: `source$.subscribe(stream.subject)` publishes; refusals are counted. */
  get subject(): StreamSubject<In, Out> {
    this.#subject ??= subjectOf(this.#channel, this.messages$)
    return this.#subject
  }

  /** Gives `messages$` to `from()` and other libraries that know `Symbol.observable`. */
  [observable](): Observable<Message<Out>> {
    return this.messages$
  }

  /**
   * Subscribes at the call and returns an async iterator over a bounded buffer; what overflows is counted as
   * `iteratorDrops`. When the stream ends, what is buffered comes first. Throws `INVALID_OPTIONS`.
   */
  iterate(options: IterateOptions<Out> = {}): AsyncIterableIterator<Message<Out>, undefined> {
    return new MessageIterator(this.#channel, options)
  }

  /** Iterates with the default options. */
  [Symbol.asyncIterator](): AsyncIterableIterator<Message<Out>, undefined> {
    return this.iterate()
  }

  /** Calls `listener` at every such event. A listener that throws is counted. Throws `STREAM_CLOSED`. */
  on<Name extends keyof StreamEvents>(
    event: Name,
    listener: (payload: StreamEvents<Out>[Name]) => void,
  ): this {
    this.#channel.assertOpen()
    this.#channel.events.on(event, listener as (payload: StreamEvents[Name]) => void)
    return this
  }

  /** Ends what `on` began. */
  off<Name extends keyof StreamEvents>(
    event: Name,
    listener: (payload: StreamEvents<Out>[Name]) => void,
  ): this {
    this.#channel.events.off(event, listener as (payload: StreamEvents[Name]) => void)
    return this
  }

  /** Returns how much may be published now. */
  budget(): Budget {
    this.#channel.assertOpen()
    return this.#channel.admission.budget()
  }

  /** Seconds from when it was set until the stream expires; 0 for never. */
  get ttlSeconds(): number {
    return this.#channel.expiry.ttlSeconds
  }

  /** When the stream expires, or `null` for never. */
  get expiresAt(): Date | null {
    return this.#channel.expiry.expiresAt
  }

  /** Sets the time to live: whole seconds from now, up to 31 536 000; 0 for never. Publishing does not move it. */
  setTtl(seconds: number): void {
    this.#channel.assertOpen()
    this.#channel.expiry.set(checkTtl(seconds))
  }

  /** Ends the stream here, and in the other processes that have it open and accept removal. */
  remove(): void {
    this.#channel.close({ reason: 'removed', isLocal: true })
  }

  /** Ends the stream here: no listener is called any more; what was accepted before still goes out. */
  close(): void {
    this.#channel.close()
  }

  /** Returns where every attempt and every received message ended. */
  ledger(): Ledger {
    return this.#channel.counters.ledger()
  }
}
