import type { Message } from 'rivulet'

/** What the core's channel `rivulet.publish` carries: an attempt to publish. */
export interface PublishAttempt {
  readonly hub: string
  readonly stream: string
  /** A subscriber of `start` may set it; the message then carries it. */
  traceparent?: string
  /** At `end`, when it was accepted at once. */
  readonly message?: Message
  /** At `error`, when it was refused. */
  readonly error?: unknown
}

/** What the core's channel `rivulet.process` carries: a message on its way to the subscribers of a stream. */
export interface Delivery {
  readonly hub: string
  readonly stream: string
  readonly message: Message
  /** That of the message. */
  readonly traceparent?: string
}

export const PUBLISH_CHANNEL = 'rivulet.publish'
export const PROCESS_CHANNEL = 'rivulet.process'
