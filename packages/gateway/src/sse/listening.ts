import { type Answer, otherAnswer } from '../base/answer.ts'
import { MAX_NUMBER } from '../base/options.ts'
import { beatsUntilStalled, Heartbeat } from '../sessions/heartbeat.ts'
import { TokenEnd } from '../sessions/token-end.ts'
import type { Hold, StreamListener } from './broadcast.ts'
import { ListenerCount, type ListenerCountLimits, type ListeningClient } from './listener-count.ts'
import { type ListenerLimits, SseListener, statusEvent } from './sse-listener.ts'

/** The limits on listeners, and how they are served. */
export interface ListeningLimits extends ListenerLimits, ListenerCountLimits {
  /** Milliseconds between signs of life to idle listeners. @default 15000 */
  readonly heartbeatMs: number
  /**
   * Milliseconds after which a listener that takes nothing is ended. `serve` ends connections that take nothing
   * earlier, by `writeStallMs`. @default 60000
   */
  readonly stallMs: number
}

/** Least value, default and greatest value of each limit. */
export const LISTENING_BOUNDS = {
  maxPerKey: [1, 2_000, MAX_NUMBER],
  maxPerHolder: [1, 100, MAX_NUMBER],
  maxWaitingMessages: [1, 256, MAX_NUMBER],
  maxWaitingBytes: [1, 1_048_576, MAX_NUMBER],
  heartbeatMs: [1, 15_000, MAX_NUMBER],
  stallMs: [1, 60_000, MAX_NUMBER],
} as const

/** Counts of listeners and of their messages, over all streams. */
export interface ListeningCounts {
  /** How many listen now. */
  readonly listeners: number
  /** Messages handed to a listener's connection. */
  readonly sent: number
  /** Messages that a listener's client was too slow to take. */
  readonly dropped: number
}

const EVENT_STREAM = {
  'content-type': 'text/event-stream; charset=utf-8',
  'cache-control': 'no-store, no-transform',
  // Nginx would gather events before it passes them on.
  'x-accel-buffering': 'no',
}

/** A request to listen, from an authenticated caller. */
export interface ListenRequest extends ListeningClient {
  /** The request that asks for events. */
  readonly request: Request
}

/** Returns whether a request asks for Server-Sent Events. */
export function asksForEvents({ method, headers }: Request): boolean {
  return method === 'GET' && headers.get('accept')?.includes('text/event-stream') === true
}

/** Answers requests to listen, with Server-Sent Events. */
export class Listening {
  readonly #limits: ListeningLimits
  readonly #heartbeat: Heartbeat<SseListener>
  readonly #listeners: ListenerCount
  readonly #keySids = new Map<SseListener, string>()
  #counts = { sent: 0, dropped: 0 }

  constructor(limits: ListeningLimits) {
    this.#limits = limits
    this.#listeners = new ListenerCount(limits)
    const mostBeats = beatsUntilStalled(limits.stallMs, limits.heartbeatMs)
    this.#heartbeat = new Heartbeat(limits.heartbeatMs, (listeners) => {
      for (const listener of listeners) if (listener.beat() >= mostBeats) listener.abort()
    })
  }

  /** Listeners now, and their messages so far. */
  get counts(): ListeningCounts {
    return { listeners: this.#keySids.size, ...this.#counts }
  }

  /**
   * Answers with the messages of a stream. `hold` adds the listener to it; it may throw. Throws 20429 for a client that
   * may not listen now.
   */
  async listen(client: ListenRequest, hold: (listener: StreamListener) => Hold): Promise<Answer> {
    this.#listeners.checkCapacity(client)
    const { listener, joined } = this.#open(client, hold)
    await joined
    return otherAnswer(listener.body, EVENT_STREAM)
  }

  /** Ends the listeners of these keys. */
  endOf(keySids: ReadonlySet<string>): void {
    const last = statusEvent('closing', { reason: 'keyChanged' })
    for (const [listener, keySid] of [...this.#keySids]) if (keySids.has(keySid)) listener.finish(last)
  }

  #open(client: ListenRequest, holdBy: (listener: StreamListener) => Hold) {
    const { caller } = client
    const token = new TokenEnd({
      ended: () => listener.finish(statusEvent('closing', { reason: 'tokenExpired' })),
    })
    const listener: SseListener = new SseListener(this.#limits, {
      count: (outcome, messages) => {
        this.#counts[outcome] += messages
      },
      ended: () => {
        token.stop()
        unwatch()
        this.#listeners.delete(client)
        this.#keySids.delete(listener)
        this.#heartbeat.delete(listener)
        hold.stop()
      },
    })
    const hold = holdBy(listener)
    token.watch(caller.expiresMs)
    this.#listeners.add(client)
    this.#keySids.set(listener, caller.keySid)
    this.#heartbeat.add(listener)
    const unwatch = onClientGone(client, () => listener.abort())
    // The registry may have been waited for.
    if (isGone(client)) listener.abort()
    return { listener, joined: hold.joined }
  }
}

function isGone({ socket, request }: ListenRequest): boolean {
  return socket === undefined ? request.signal?.aborted === true : socket.destroyed
}

/**
 * Calls `onGone` when the client is gone, until the function that it returns is called. The response alone would
 * not: Node does not end one that waits for another on its connection.
 */
function onClientGone({ socket, request }: ListenRequest, onGone: () => void): () => void {
  if (socket === undefined) {
    // Not every worker has a signal; there the stream is cancelled.
    request.signal?.addEventListener('abort', onGone)
    return () => request.signal?.removeEventListener('abort', onGone)
  }
  socket.once('close', onGone)
  return () => socket.off('close', onGone)
}
