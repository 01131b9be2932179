import type { Channel } from './channel.ts'
import { Fifo } from './fifo.ts'
import type { Message } from './message.ts'
import { checkNumber, checkSignal, invalid, shown } from './options.ts'
import type { StreamSubscription } from './subscription.ts'

/** How an iterator buffers what its reader has not taken yet. */
export interface IterateOptions<Data = unknown> {
  /** How many messages it holds at the most. 1 or more. @default 256 */
  readonly buffer?: number
  /**
   * What gives way when it is full: `'dropOldest'`, `'dropNewest'`, or with `'latest'` an older message of the
   * same key (of any, without `key`), full or not. Everything that gives way is counted. @default 'dropOldest'
   */
  readonly overflow?: 'dropOldest' | 'dropNewest' | 'latest'
  /** `'latest'` only: tells messages apart; the newest of each key is held. @default one key for all */
  readonly key?: (message: Message<Data>) => unknown
  /** Ends the iteration when it aborts; what is buffered is discarded. */
  readonly signal?: AbortSignal
}

type Result<Data> = IteratorResult<Message<Data>, undefined>

/** Reads messages one at a time through a bounded buffer. Calls of `next` queue; `return` settles at once. */
export class MessageIterator<Data = unknown> implements AsyncIterableIterator<Message<Data>, undefined> {
  readonly #channel: Channel
  readonly #subscription: StreamSubscription
  readonly #capacity: number
  readonly #overflow: IterateOptions['overflow']
  readonly #keyOf: (message: Message<Data>) => unknown
  /** What its reader has not taken yet, oldest first: a Map keeps the place of a key whose value is replaced. */
  readonly #buffer = new Map<unknown, Message<Data>>()
  /** Stands before the oldest key, so that finding it does not pass those that were taken. */
  readonly #oldest = this.#buffer.keys()
  readonly #readers = new Fifo<(result: Result<Data>) => void>()
  #isDiscarded = false
  /** Calls the abort action off. */
  #callOff: (() => void) | undefined

  /** Subscribes. Throws `INVALID_OPTIONS`, `STREAM_CLOSED`, `HUB_CLOSED`. */
  constructor(channel: Channel, options: IterateOptions<Data>) {
    const { buffer = 256, overflow = 'dropOldest', key = theOnly, signal } = options
    checkNumber('buffer', buffer, 1)
    if (!['dropOldest', 'dropNewest', 'latest'].includes(overflow)) {
      throw invalid(`overflow is 'dropOldest', 'dropNewest' or 'latest', not ${shown(overflow)}.`)
    }
    if (typeof key !== 'function') throw invalid('key is a function of the message.')
    checkSignal(signal)
    this.#channel = channel
    this.#capacity = buffer
    this.#overflow = overflow
    this.#keyOf = overflow === 'latest' ? key : itself
    const take = (message: Message) => this.#take(message as Message<Data>)
    this.#subscription = channel.subscribe(take, undefined, () => this.#ended())
    if (signal?.aborted) this.#discard()
    else if (signal !== undefined) this.#callOff = channel.signals.add(signal, () => this.#discard())
  }

  next(): Promise<Result<Data>> {
    const value = this.#shift()
    this.#tidy()
    if (value !== undefined) return Promise.resolve({ done: false, value })
    if (this.#subscription.closed) return Promise.resolve({ done: true, value })
    return new Promise((resolve) => this.#readers.push(resolve))
  }

  return(): Promise<Result<Data>> {
    this.#discard()
    return Promise.resolve({ done: true, value: undefined })
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  #take(message: Message<Data>): void {
    const key = this.#keyOf(message) // first, since it may run code that reads or ends
    const reader = this.#readers.shift()
    if (reader !== undefined) reader({ done: false, value: message })
    else if (this.#isDiscarded) this.#dropped(1)
    else this.#hold(message, key)
  }

  /** Buffers a message; when the buffer is full, or has one of the same key, one gives way. */
  #hold(message: Message<Data>, key: unknown): void {
    const isHeld = this.#buffer.has(key)
    const isFull = !isHeld && this.#buffer.size >= this.#capacity
    if (isHeld || isFull) this.#dropped(1)
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

  #dropped(count: number): void {
    this.#channel.counters.count((counts) => (counts.iteratorDrops += count))
  }

  /** Nothing comes any more: what is buffered comes first, then `done`. */
  #ended(): void {
    for (let reader = this.#readers.shift(); reader !== undefined; reader = this.#readers.shift()) {
      reader({ done: true, value: undefined })
    }
    this.#tidy()
  }

  /** Ends now; what is buffered is given up. */
  #discard(): void {
    this.#isDiscarded = true
    this.#dropped(this.#buffer.size)
    this.#buffer.clear()
    this.#subscription.unsubscribe()
    this.#ended()
  }

  /** The signal is listened to as long as there is something to discard. */
  #tidy(): void {
    if (this.#subscription.closed && this.#buffer.size === 0) this.#callOff?.()
  }
}

function theOnly(): unknown {
  return undefined
}

function itself(message: unknown): unknown {
  return message
}
