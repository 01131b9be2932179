import type { Events } from '../base/events.ts'
import type { StreamEvents } from './stream-events.ts'

/** Tracks whether a stream is used. */
export interface IdleWatch {
  /** Called when the stream is in use at `nowMs`, by default now, or has just ceased to be. */
  used(nowMs?: number): void
  /** Called when the stream has ended: cancels the timer. */
  stop(): void
}

/** The handles of a stream that `hub.acquire` returned. */
export interface Handles {
  /** The number of handles that are not released. */
  count: number
  /** Whether the stream ends with its last handle; false once `hub.stream` has returned it, too. */
  endsWithLast: boolean
}

/** The part of a stream's state that `stream/` writes. */
export interface LifetimePart {
  isClosed: boolean
  events: Events<StreamEvents> | undefined
  ttlSeconds: number
  expiresAtMs: number | undefined
  cancelExpiry: (() => void) | undefined
  /** Present with an idle time to live. */
  idle: IdleWatch | undefined
  /** Present once `hub.acquire` has returned a handle. */
  handles: Handles | undefined
}
