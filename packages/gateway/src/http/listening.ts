import { runOutside } from 'rivulet/transport'
import { type Answer, otherAnswer } from '../base/answer.ts'
import { ApiError } from '../base/problem.ts'
import type { StreamRecord } from '../registry/stream-record.ts'
import type { Hold, StreamService } from '../streams/stream-service.ts'
import { type Exchange, streamIdOf } from './exchange.ts'
import { ListenerCount, type ListenerCountLimits } from './listener-count.ts'
import { type ListenerLimits, messageEvent, SseListener, statusEvent } from './sse-listener.ts'

/** How many may listen, and how. */
export interface ListeningOptions extends ListenerLimits, ListenerCountLimits {
  readonly heartbeatMs: number
  readonly stallMs: number
}

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

/** Answers requests to listen, with Server-Sent Events. */
export class Listening {
  readonly #service: StreamService
  readonly #options: ListeningOptions
  readonly #heartbeat: Heartbeat
  readonly #listeners: ListenerCount
  readonly #keySids = new Map<SseListener, string>()
  #counts = { sent: 0, dropped: 0 }

  constructor(service: StreamService, options: ListeningOptions) {
    this.#service = service
    this.#options = options
    this.#listeners = new ListenerCount(options)
    this.#heartbeat = new Heartbeat(options.heartbeatMs, options.stallMs)
  }

  get counts(): ListeningCounts {
    return { listeners: this.#keySids.size, ...this.#counts }
  }

  async listen(exchange: Exchange): Promise<Answer> {
    const { caller, serviceSid, request } = exchange
    const isAsked = request.method === 'GET' && request.headers.get('accept')?.includes('text/event-stream')
    if (!isAsked) throw new ApiError('listenBySse', { allow: 'POST, GET' })
    const found = this.#service.find(caller, serviceSid, streamIdOf(exchange.streamSegment), ['listen'])
    // Not waited for without need: the stream could end meanwhile.
    const record = found instanceof Promise ? await found : found
    this.#listeners.demandRoom(exchange)
    const { listener, joined } = this.#open(exchange, record)
    await joined
    return otherAnswer(listener.body, EVENT_STREAM)
  }

  /** Ends the listeners of these keys. */
  endOf(keySids: ReadonlySet<string>): void {
    const last = statusEvent('closing', { reason: 'keyChanged' })
    for (const [listener, keySid] of [...this.#keySids]) if (keySids.has(keySid)) listener.finish(last)
  }

  #open(exchange: Exchange, record: StreamRecord) {
    const { caller } = exchange
    let timer: ReturnType<typeof setTimeout> | undefined
    const listener: SseListener = new SseListener(this.#options, {
      count: (outcome, messages) => {
        this.#counts[outcome] += messages
      },
      ended: () => {
        clearTimeout(timer)
        unwatch()
        this.#listeners.delete(exchange)
        this.#keySids.delete(listener)
        this.#heartbeat.delete(listener)
        hold.stop()
      },
    })
    const hold: Hold = this.#service.listen(record, listener, messageEvent)
    if (caller.expiresMs !== undefined) {
      const last = statusEvent('closing', { reason: 'tokenExpired' })
      timer = setTimeout(() => listener.finish(last), Math.max(caller.expiresMs - Date.now(), 0))
    }
    this.#listeners.add(exchange)
    this.#keySids.set(listener, caller.keySid)
    this.#heartbeat.add(listener)
    const unwatch = onClientGone(exchange, () => listener.abort())
    // The registry may have been waited for.
    if (isGone(exchange)) listener.abort()
    return { listener, joined: hold.joined }
  }
}

function isGone({ socket, request }: Exchange): boolean {
  return socket === undefined ? request.signal?.aborted === true : socket.destroyed
}

/**
 * Tells when the client is gone, until the function that it gives is called. The response alone would not: Node does
 * not end one that stands behind another on its connection.
 */
function onClientGone({ socket, request }: Exchange, tell: () => void): () => void {
  if (socket === undefined) {
    // Not every worker has a signal; there the stream is cancelled.
    request.signal?.addEventListener('abort', tell)
    return () => request.signal?.removeEventListener('abort', tell)
  }
  socket.once('close', tell)
  return () => socket.off('close', tell)
}

/** Beats for all listeners at once, while there are any, and ends those whose client has long taken nothing. */
class Heartbeat {
  readonly #intervalMs: number
  readonly #beatsUntilStalled: number
  readonly #listeners = new Set<SseListener>()
  #timer: ReturnType<typeof setTimeout> | undefined

  constructor(intervalMs: number, stallMs: number) {
    this.#intervalMs = intervalMs
    this.#beatsUntilStalled = Math.max(1, Math.ceil(stallMs / intervalMs))
  }

  add(listener: SseListener): void {
    this.#listeners.add(listener)
    this.#timer ??= runOutside(() => setTimeout(() => this.#beat(), this.#intervalMs))
  }

  delete(listener: SseListener): void {
    this.#listeners.delete(listener)
    if (this.#listeners.size > 0) return
    clearTimeout(this.#timer)
    this.#timer = undefined
  }

  #beat(): void {
    this.#timer = setTimeout(() => this.#beat(), this.#intervalMs)
    for (const listener of this.#listeners) {
      if (listener.beat() >= this.#beatsUntilStalled) listener.abort()
    }
  }
}
