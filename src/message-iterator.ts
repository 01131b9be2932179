import { Fifo } from './fifo.ts'
import type { Message } from './message.ts'

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

/** A bounded buffer; `push` returns how many messages gave way. */
interface Buffer {
  readonly size: number
  push(message: Message): number
  shift(): Message | undefined
  clear(): void
}

/** Makes the buffer that the options ask for. */
export function bufferOf(
  capacity: number,
  overflow: IterateOptions['overflow'],
  key: IterateOptions['key'],
): Buffer {
  return overflow === 'latest'
    ? new LatestBuffer(capacity, key)
    : new OrderedBuffer(capacity, overflow === 'dropNewest')
}

/** What an iterator tells the stream. */
interface IteratorOwner {
  /** So many messages gave way. */
  dropped(count: number): void
  /** No more messages are wanted. Told once. */
  ended(): void
  /** The reader has, or gave up, everything that was buffered. Told once. */
  drained(): void
}

type Result<Data> = IteratorResult<Message<Data>, undefined>

/** Reads messages one at a time through a bounded buffer. Calls of `next` queue; `return` settles at once. */
export class MessageIterator<Data = unknown> implements AsyncIterableIterator<Message<Data>, undefined> {
  readonly #buffer: Buffer
  readonly #owner: IteratorOwner
  readonly #readers = new Fifo<(result: Result<Data>) => void>()
  #isEnded = false
  #isDrained = false

  constructor(buffer: Buffer, owner: IteratorOwner) {
    this.#buffer = buffer
    this.#owner = owner
  }

  next(): Promise<Result<Data>> {
    const message = this.#buffer.shift() as Message<Data> | undefined
    this.#checkDrained()
    if (message !== undefined) return Promise.resolve({ done: false, value: message })
    if (this.#isEnded) return Promise.resolve({ done: true, value: undefined })
    return new Promise((resolve) => this.#readers.push(resolve))
  }

  return(): Promise<Result<Data>> {
    this.discard()
    return Promise.resolve({ done: true, value: undefined })
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  /** Takes a message from the fan-out. */
  push(message: Message): void {
    const reader = this.#readers.shift()
    if (reader !== undefined) reader({ done: false, value: message as Message<Data> })
    else {
      const dropped = this.#buffer.push(message)
      if (dropped > 0) this.#owner.dropped(dropped)
    }
  }

  /** The stream ended: what is buffered comes first, then `done`. */
  end(): void {
    if (this.#isEnded) return
    this.#isEnded = true
    for (let reader = this.#readers.shift(); reader !== undefined; reader = this.#readers.shift()) {
      reader({ done: true, value: undefined })
    }
    this.#owner.ended()
    this.#checkDrained()
  }

  /** Ends now; what is buffered is given up. */
  discard(): void {
    const { size } = this.#buffer
    this.#buffer.clear()
    if (size > 0) this.#owner.dropped(size)
    if (this.#isEnded) this.#checkDrained()
    else this.end()
  }

  #checkDrained(): void {
    if (!this.#isEnded || this.#isDrained || this.#buffer.size > 0) return
    this.#isDrained = true
    this.#owner.drained()
  }
}

class OrderedBuffer implements Buffer {
  readonly #messages = new Fifo<Message>()
  readonly #capacity: number
  readonly #keepsOld: boolean

  constructor(capacity: number, keepsOld: boolean) {
    this.#capacity = capacity
    this.#keepsOld = keepsOld
  }

  get size(): number {
    return this.#messages.size
  }

  push(message: Message): number {
    const isFull = this.size >= this.#capacity
    if (isFull && this.#keepsOld) return 1
    if (isFull) this.#messages.shift()
    this.#messages.push(message)
    return isFull ? 1 : 0
  }

  shift(): Message | undefined {
    return this.#messages.shift()
  }

  clear(): void {
    this.#messages.clear()
  }
}

class LatestBuffer implements Buffer {
  // A Map keeps the place of a key whose value is replaced.
  readonly #byKey = new Map<unknown, Message>()
  readonly #capacity: number
  readonly #keyOf: (message: Message) => unknown

  constructor(capacity: number, keyOf: (message: Message) => unknown = () => undefined) {
    this.#capacity = capacity
    this.#keyOf = keyOf
  }

  get size(): number {
    return this.#byKey.size
  }

  push(message: Message): number {
    const key = this.#keyOf(message)
    const givesWay = this.#byKey.has(key) || (this.size >= this.#capacity && this.shift() !== undefined)
    this.#byKey.set(key, message)
    return givesWay ? 1 : 0
  }

  shift(): Message | undefined {
    for (const [key, message] of this.#byKey) {
      this.#byKey.delete(key)
      return message
    }
    return undefined
  }

  clear(): void {
    this.#byKey.clear()
  }
}
