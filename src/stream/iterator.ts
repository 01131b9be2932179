import { Fifo } from '../base/fifo.ts'
import type { PlatformSignal } from '../base/platform-signal.ts'
import { Subscription } from '../deliver/subscription.ts'
import type { Message } from '../message/message.ts'
import {
  type Checks,
  checkChoice,
  checkFunction,
  checkNumber,
  checkOptions,
  checkSignal,
} from '../state/options.ts'
import type { StreamState } from '../state/stream-state.ts'

/** The options of an iterator's buffer. */
export interface IterateOptions<Data = unknown> {
  /** The most messages in the buffer. 1 or more. @default 256 */
  readonly buffer?: number | undefined
  /**
   * The message to drop when it is full: `'dropOldest'`, `'dropNewest'`, or with `'latest'` an older message of the
   * same key (of any, without `key`), full or not. Every drop is counted. @default 'dropOldest'
   */
  readonly overflow?: 'dropOldest' | 'dropNewest' | 'latest' | undefined
  /** `'latest'` only: the key of a message; the newest message of each key is buffered. @default one key for all */
  readonly key?: ((message: Message<Data>) => unknown) | undefined
  /** Ends the iteration when it aborts; the buffer is discarded. */
  readonly signal?: PlatformSignal | undefined
}

/** Reads the messages of a stream one at a time, through a bounded buffer. */
export interface StreamIterator<Data = unknown> extends AsyncIterator<Message<Data>, undefined> {
  /** Resolves when the stream's join is confirmed; see `Subscription.ready`. */
  readonly ready: Promise<void>
  /** The number of messages that its buffer has dropped. */
  readonly dropped: number
  /** Ends it at once, also while it is idle; the buffer is discarded. */
  return(): Promise<IteratorResult<Message<Data>, undefined>>
  /** Ends it like `return`, and rejects with `error`. */
  throw(error?: unknown): Promise<IteratorResult<Message<Data>, undefined>>
  [Symbol.asyncIterator](): this
}

type IterateSettings<Data> = Required<Omit<IterateOptions<Data>, 'signal'>> & {
  readonly signal: AbortSignal | undefined
}
type Result<Data> = IteratorResult<Message<Data>, undefined>

const DEFAULTS: IterateSettings<unknown> = {
  buffer: 256,
  overflow: 'dropOldest',
  key: () => undefined,
  signal: undefined,
}
const CHECKS: Checks<IterateSettings<unknown>> = {
  buffer: (value) => checkNumber('buffer', value, 1),
  overflow: (value) => checkChoice('overflow', value, ['dropOldest', 'dropNewest', 'latest']),
  key: (value) => checkFunction('key', value),
  signal: checkSignal,
}

/** Buffers in a Map, which keeps the place of a key whose value is replaced. Calls of `next` queue. */
export class MessageIterator<Data = unknown> implements StreamIterator<Data> {
  readonly #state: StreamState
  readonly #subscription: Subscription
  readonly #capacity: number
  readonly #overflow: IterateOptions['overflow']
  readonly #keyOf: (message: Message<Data>) => unknown
  /** Messages that the reader has not taken yet, oldest first. */
  readonly #buffer = new Map<unknown, Message<Data>>()
  /** Iterates the keys from the oldest on, so that finding it does not pass the deleted ones. */
  readonly #oldest = this.#buffer.keys()
  readonly #readers = new Fifo<(result: Result<Data>) => void>()
  readonly #cancelAbort: (() => void) | undefined
  #dropped = 0

  /** Subscribes. Throws `INVALID_OPTIONS`, `STREAM_CLOSED`, `HUB_CLOSED`. */
  constructor(state: StreamState, options: IterateOptions<Data> = {}) {
    const { buffer, overflow, key, signal } = checkOptions(
      'iterate',
      options,
      DEFAULTS as IterateSettings<Data>,
      CHECKS as Checks<IterateSettings<Data>>,
    )
    this.#state = state
    this.#capacity = buffer
    this.#overflow = overflow
    this.#keyOf = overflow === 'latest' ? key : (message) => message
    const take = (message: Message) => this.#take(message as Message<Data>)
    this.#subscription = Subscription.open(state, take, signal, () => this.#end())
    // An abort after the subscription's end discards the buffered messages, too.
    if (signal && !this.#subscription.closed)
      this.#cancelAbort = state.hub.signals.add(signal, () => this.#discard())
  }

  get ready(): Promise<void> {
    return this.#subscription.ready
  }

  get dropped(): number {
    return this.#dropped
  }

  next(): Promise<Result<Data>> {
    const value = this.#shift()
    this.#stopListeningIfDone()
    if (value !== undefined) return Promise.resolve({ done: false, value })
    if (this.#subscription.closed) return Promise.resolve({ done: true, value })
    return new Promise((resolve) => this.#readers.push(resolve))
  }

  return(): Promise<Result<Data>> {
    this.#discard()
    return Promise.resolve({ done: true, value: undefined })
  }

  throw(error?: unknown): Promise<Result<Data>> {
    this.#discard()
    return Promise.reject(error)
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  #take(message: Message<Data>): void {
    const keyOf = this.#keyOf // called as a member, `this` would be the iterator
    const key = keyOf(message) // first, since it may run code that reads or ends
    const reader = this.#readers.shift()
    if (reader !== undefined) reader({ done: false, value: message })
    else if (this.#subscription.closed) this.#drop(1)
    else this.#store(message, key)
  }

  /** Buffers a message; when the buffer is full, or has one of the same key, one is dropped. */
  #store(message: Message<Data>, key: unknown): void {
    const isStored = this.#buffer.has(key)
    const isFull = !isStored && this.#buffer.size >= this.#capacity
    if (isStored || isFull) this.#drop(1)
    if (isFull && this.#overflow === 'dropNewest') return
    if (isFull) this.#shift()
    this.#buffer.set(key, message)
  }

  #shift(): Message<Data> | undefined {
    if (this.#buffer.size === 0) return undefined
    const key = this.#oldest.next().value
    const message = this.#buffer.get(key)
    this.#buffer.delete(key)
    return message
  }

  #drop(count: number): void {
    this.#dropped += count
    this.#state.counters.add('iteratorDrops', count)
  }

  /** Ends after the buffered messages: these come first, then `done`. */
  #end(): void {
    for (let reader = this.#readers.shift(); reader !== undefined; reader = this.#readers.shift()) {
      reader({ done: true, value: undefined })
    }
    this.#stopListeningIfDone()
  }

  /** Ends now and discards the buffer. */
  #discard(): void {
    this.#drop(this.#buffer.size)
    this.#buffer.clear()
    this.#subscription.unsubscribe()
    this.#end()
  }

  /** The signal is listened to as long as there is something to discard. */
  #stopListeningIfDone(): void {
    if (this.#subscription.closed && this.#buffer.size === 0) this.#cancelAbort?.()
  }
}
