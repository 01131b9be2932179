import type { Message } from '../message/message.ts'
import type { Topic } from '../message/topic.ts'
import type { LossReason } from './ledger.ts'

/** The messages that a stream sends, gathered until the end of the tick. */
export interface Outbox {
  readonly topic: Topic
  waiting: Outgoing[]
  /** The time at which the first message was accepted: `t` counts from it. */
  readonly startMs: number
  /** The `t` of the last message. */
  tMs: number
  /** The offset from the monotonic clock to the date at the start of the origin. */
  dateOffsetMs: number
  hasReportedSize: boolean
}

/** A message on its way to the broker; `wire` is the snapshot that was published. */
export interface Outgoing {
  readonly message: Message
  readonly wire: object
  readonly tMs: number
}

/** Receives, once, the outcome of a message. `cause`: the reason why it is unconfirmed, if known. */
export type Follow = (outcome: 'confirmed' | 'unconfirmed' | LossReason, cause: unknown) => void

/** The part of a stream's state that `send/` writes. */
export interface SendPart {
  /** 16 hex digits, from the first message on. */
  origin: string | undefined
  /** The number of the last message of the origin. */
  sequence: number
  outbox: Outbox | undefined
}
