import { runOutside } from '../base/async-context.ts'
import { type Deferred, deferred } from '../base/deferred.ts'
import { makeDisposable } from '../base/disposable.ts'
import type { PlatformSignal } from '../base/platform-signal.ts'
import type { RivuletError } from '../errors/errors.ts'
import { errorOf } from '../errors/report.ts'
import type { DeliverPart, Listener, Subscriber } from '../state/deliver-part.ts'
import { assertOpen, type StreamState } from '../state/stream-state.ts'
import { addListener, removeListener } from './fan-out.ts'

/**
 * The status of a subscription: `joining` until the broker has confirmed the stream's join, and while the connection is gone;
 * `joined`: messages of other processes arrive; `refused` by the broker, which is asked again; `ended`.
 */
export type SubscriptionStatus = 'joining' | 'joined' | 'refused' | 'ended'

/** A subscription: ends it, and reports when messages of other processes arrive. Small, since there may be many. */
export class Subscription implements Subscriber {
  /** Used by the library. */
  index = -1
  declare [Symbol.dispose]: () => void
  readonly #state: StreamState
  readonly #onEnd: (() => void) | undefined
  #cancelAbort: (() => void) | undefined
  #ready: Deferred | undefined

  /** Made by `stream.subscribe`. */
  constructor(state: StreamState, onEnd: (() => void) | undefined) {
    this.#state = state
    this.#onEnd = onEnd
  }

  /**
   * Subscribes a listener. `onEnd` is called when the stream ends first. With a signal that has aborted the
   * subscription is closed.
   */
  static open(
    state: StreamState,
    listener: Listener,
    signal?: PlatformSignal,
    onEnd?: () => void,
  ): Subscription {
    assertOpen(state)
    return new Subscription(state, onEnd).enter(listener, signal)
  }

  /** Whether it has ended: unsubscribed, aborted, or the stream closed. */
  get closed(): boolean {
    return this.index < 0
  }

  /** The status now. On a hub without a transport it is `joined` at once. The stream's event `joined` reports the change. */
  get status(): SubscriptionStatus {
    if (this.closed) return 'ended'
    const { isJoined, isRefused } = this.#state
    return isJoined ? 'joined' : isRefused ? 'refused' : 'joining'
  }

  /**
   * Resolves when the stream's join is confirmed: messages of other processes arrive from then on. At once on a hub
   * without a transport. Rejects with a `RivuletError` on unsubscribe, on close, or when the broker refuses the join;
   * the join is tried again, and the next read returns a promise for that. A rejection without a handler is not
   * reported as unhandled.
   */
  get ready(): Promise<void> {
    if (this.#ready === undefined) {
      this.#ready = runOutside(() => deferred()) // a promise keeps the context in which it was made
      if (this.closed) this.#ready.reject(subscriptionEnded(this.#state))
      else if (this.#state.isJoined) this.#ready.resolve()
    }
    return this.#ready.promise
  }

  /** Ends it; the listener is not called any more, not even for a message being delivered. Any number of times. */
  unsubscribe(): void {
    leave(this.#state, this)
    this.#finish(() => subscriptionEnded(this.#state))
  }

  /** Used by the library. */
  enter(listener: Listener, signal: PlatformSignal | undefined): this {
    if (signal === undefined) enter(this.#state, this, listener)
    else if (!signal.aborted) {
      this.#cancelAbort = this.#state.hub.signals.add(signal, () => this.unsubscribe())
      // Other listeners of the signal may run first, and publish.
      enter(this.#state, this, (message) => (signal.aborted ? undefined : listener(message)))
    }
    return this
  }

  /** Used by the library. */
  joined(refusal: RivuletError | undefined): void {
    if (refusal === undefined) return this.#ready?.resolve()
    this.#ready?.reject(refusal)
    this.#ready = undefined
  }

  /** Used by the library. */
  ended(reason: () => RivuletError): void {
    this.#finish(reason)
    this.#onEnd?.()
  }

  #finish(reason: () => RivuletError): void {
    this.#cancelAbort?.()
    this.#ready?.reject(reason())
  }
}

makeDisposable(Subscription.prototype, 'dispose', 'unsubscribe')

/** Adds a subscriber to the fan-out; the first one makes the stream join its topic. */
export function enter(state: StreamState, subscriber: Subscriber, listener: Listener): void {
  addListener(state, subscriber, listener)
  if (state.counters.subscribers > 1) return
  if (state.hub.inboxes === undefined) emitJoined(state)
  else state.hub.inboxes.listen(state, true)
}

/** Takes a subscriber out of the fan-out; the last one makes the stream leave its topic. */
export function leave(state: StreamState, subscriber: Subscriber): void {
  if (subscriber.index < 0) return
  removeListener(state, subscriber)
  if (state.counters.subscribers > 0) return
  state.hub.inboxes?.listen(state, false)
  state.idle?.used()
}

/** Notifies the stream's listeners that its join is confirmed. */
export function emitJoined(state: StreamState & DeliverPart): void {
  const isFirst = !state.hasEmittedJoined
  state.hasEmittedJoined = true
  state.events?.emit('joined', { isFirst })
}

function subscriptionEnded(state: StreamState): RivuletError {
  return errorOf(state, 'STREAM_CLOSED', 'The subscription has ended; subscribe again.')
}
