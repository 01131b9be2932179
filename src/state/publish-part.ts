import type { AsyncContext } from '../base/async-context.ts'
import type { Refusal } from '../errors/refusal.ts'
import type { Message } from '../message/message.ts'

/** A checked message that waits for capacity in the bucket. */
export interface Waiter {
  /** The snapshot that is sent. */
  wire: object
  /** The data that subscribers receive: the snapshot, or the output of the schema. */
  data: unknown
  /** The context of the call that gave the data: the message is published in it. */
  context: AsyncContext
  /** Called when the waiter leaves the queue, before anything else happens. */
  leave(): void
  /** Receives the outcome. */
  settle(outcome: Message | Refusal): void
}

/** The one queue of waiters and kept values, first come first served. */
export interface PublishQueue {
  /** A Set keeps the order and deletes in the middle at O(1). */
  readonly waiters: Set<Waiter>
  /** Waiters until the hub is up for the first time; they delay no other message. */
  readonly early: Set<Waiter>
  /** Waiters of `publishLatest`, by their key. */
  readonly kept: Map<unknown, Waiter>
  /** The time at which the current or last timer was set: waiters that were due since then leave when it fires. */
  sinceMs: number
  /** Cancels the timer of the queue, while one runs. */
  cancelTimer: (() => void) | undefined
  /** Called when the queue is empty: its stream has ended, and waits only for capacity for kept values. */
  emptied: (() => void) | undefined
}

/** The part of a stream's state that `publish/` writes. */
export interface PublishPart {
  /** Made with the first waiter: most streams never have one. */
  publishQueue: PublishQueue | undefined
}
