import type { FanOut } from './fan-out.ts'
import { Fifo } from './fifo.ts'
import type { Counters } from './ledger.ts'
import type { Message } from './message.ts'

/** A message on its way to the subscribers; `wire` is the snapshot to send afterwards, if it is to be sent. */
interface Entry {
  readonly message: Message
  readonly wire: object | undefined
  readonly nowMs: number
}

/** Told of each message after its fan-out. */
export type Delivered = (message: Message, wire: object | undefined, nowMs: number) => void

/**
 * Delivers the messages of one stream one after the other. What is published inside a subscriber waits until the
 * running fan-out ends, so that every subscriber sees one and the same order.
 */
export class Delivery {
  readonly fanOut: FanOut
  readonly #delivered: Delivered
  readonly #maxWaiting: number
  readonly #counters: Counters
  readonly #queue = new Fifo<Entry>()
  #isRunning = false
  /** How many were published inside the run, delivered or not; above 0 outside of one if the stack ran out. */
  #queued = 0
  #whenIdle: (() => void) | undefined

  constructor(fanOut: FanOut, counters: Counters, maxWaiting: number, delivered: Delivered) {
    this.fanOut = fanOut
    this.#counters = counters
    this.#maxWaiting = maxWaiting
    this.#delivered = delivered
  }

  /**
   * Whether nothing more may be published inside the running fan-out. What it has already delivered counts too, or
   * two streams that echo each other would never end.
   */
  get isFull(): boolean {
    return this.#isRunning && this.#queued >= this.#maxWaiting
  }

  /** Delivers now, or after what is being delivered. Throws only when the stack is exhausted. */
  deliver(message: Message, wire: object | undefined, nowMs: number): void {
    if (this.#isRunning) {
      this.#queue.push({ message, wire, nowMs })
      this.#queued++
      return
    }
    this.#isRunning = true
    try {
      if (this.#queued > 0) this.#runQueue()
      this.#run(message, wire, nowMs)
      try {
        if (this.#queued > 0) this.#runQueue()
      } catch {} // The stack is exhausted. This message is delivered; what is left goes first the next time.
    } finally {
      this.#isRunning = false
      if (this.#whenIdle !== undefined) this.#whenIdle()
    }
  }

  /** Runs an action when what was accepted before has passed through. */
  whenIdle(action: () => void): void {
    if (this.#isRunning) this.#whenIdle = action
    else action()
  }

  #runQueue(): void {
    for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) {
      try {
        this.#run(next.message, next.wire, next.nowMs)
      } catch {
        // The stack is exhausted: counted without a call, for which there may be none.
        if (next.wire === undefined) continue
        this.#counters.inFlight--
        this.#counters.lost.failed++
      }
    }
    this.#queued = 0
  }

  #run(message: Message, wire: object | undefined, nowMs: number): void {
    this.fanOut.emit(message)
    this.#delivered(message, wire, nowMs)
  }
}
