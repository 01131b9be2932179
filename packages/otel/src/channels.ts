import type { Message } from 'rivulet'

/** An event of the core's channel `rivulet.publish`: an attempt to publish. */
export interface PublishAttempt {
  readonly hub: string
  readonly stream: string
  /** Added to the message when a subscriber of `start` sets it. */
  traceparent?: string
  /** The message, at `end` of an attempt that was accepted at once. */
  readonly message?: Message
  /** The error, at `error` of a refused attempt. */
  readonly error?: unknown
}

/** An event of the core's channel `rivulet.process`: the delivery of a message to the subscribers of a stream. */
export interface Delivery {
  readonly hub: string
  readonly stream: string
  readonly message: Message
  /** The message's traceparent. */
  readonly traceparent?: string
}

export const PUBLISH_CHANNEL = 'rivulet.publish'
export const PROCESS_CHANNEL = 'rivulet.process'
