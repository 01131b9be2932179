import type { AsyncContext } from '../base/async-context.ts'
import type { Fifo } from '../base/fifo.ts'
import type { RivuletError } from '../errors/errors.ts'
import type { Message } from '../message/message.ts'

/** Receives a message. May return a promise; its rejection is counted like a throw. */
export type Listener<Data = unknown> = (message: Message<Data>) => unknown

/** An entry in the fan-out of a stream. */
export interface Subscriber {
  /** The index of its listener; −1 once it has left. Written by the fan-out only. */
  index: number
  /** Receives the outcome of the topic's join: confirmed, or refused by the broker with this error. */
  joined(refusal: RivuletError | undefined): void
  /** Called when the stream has ended; `reason` makes the error for pending promises. */
  ended(reason: () => RivuletError): void
}

/** A message that is queued behind the running fan-out; `wire` is the snapshot to send afterwards, if any. */
export interface Queued {
  readonly message: Message
  readonly wire: object | undefined
  readonly nowMs: number
  /** The context of the call that published the message: it is delivered in it. */
  readonly context: AsyncContext
}

/** The part of a stream's state that `deliver/` writes. */
export interface DeliverPart {
  /** Two arrays side by side, so that the fan-out's loop reads only the functions that it calls. */
  listeners: Listener[]
  subscribers: (Subscriber | undefined)[]
  isDelivering: boolean
  queue: Fifo<Queued> | undefined
  /** The number of messages published inside the running fan-out, delivered or not. */
  queued: number
  /** Runs when the running fan-out, and the messages behind it, have ended. */
  whenIdle: (() => void) | undefined
  /** Whether the event `joined` was emitted. */
  hasEmittedJoined: boolean
}
