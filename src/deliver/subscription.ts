import { runOutside } from '../base/async-context.ts'
import { type Deferred, deferred } from '../base/deferred.ts'
import { makeDisposable } from '../base/disposable.ts'
import type { PlatformSignal } from '../base/platform-signal.ts'
import type { RivuletError } from '../model/errors.ts'
import { errorOf } from '../model/report.ts'
import { assertOpen, type Listener, type StreamState, type Subscriber } from '../model/stream-state.ts'
import { addListener, removeListener } from './fan-out.ts'

/** What subscribing gives: how to end it, and when it reaches beyond this process. Small, since there may be many. */
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

  /**
   * Resolves when the stream's join is confirmed: what other processes publish from then on arrives. At once on a
   * hub without a transport. Rejects with a `RivuletError` on unsubscribe, on close, or when the broker refuses the
   * join; that is tried again, and the next read gives a promise for it. A rejection that nobody handles is no
   * unhandled rejection.
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
  if (state.counters.subscribers === 1) state.hub.inboxes?.listen(state, true)
}

/** Takes a subscriber out of the fan-out; the last one makes the stream leave its topic. */
export function leave(state: StreamState, subscriber: Subscriber): void {
  if (subscriber.index < 0) return
  removeListener(state, subscriber)
  if (state.counters.subscribers === 0) state.hub.inboxes?.listen(state, false)
}

function subscriptionEnded(state: StreamState): RivuletError {
  return errorOf(state, 'STREAM_CLOSED', 'The subscription has ended; subscribe again.')
}
