import { type Deferred, deferred } from './deferred.ts'
import { makeDisposable } from './disposable.ts'
import { RivuletError } from './errors.ts'
import type { Seat } from './fan-out.ts'

/** What subscribing gives: how to end it, and when it reaches beyond this process. */
export interface Subscription {
  /** Ends it; the listener is not called any more, not even for a message being delivered. Any number of times. */
  unsubscribe(): void
  /** Whether it has ended: unsubscribed, aborted, or the stream closed. */
  readonly closed: boolean
  /**
   * Resolves when the stream's join is confirmed: what other processes publish from then on arrives. At once on a
   * hub without a transport. Rejects with a `RivuletError` on unsubscribe, close, or a join that the broker
   * refuses. Made when it is read; a rejection that nobody handles is no unhandled rejection.
   */
  readonly ready: Promise<void>
  /** Same as `unsubscribe`, for `using`. */
  [Symbol.dispose](): void
}

/** What a subscription needs of its stream. */
export interface SubscriptionOwner {
  /** Whether what other processes publish arrives. */
  readonly isJoined: boolean
  leave(seat: Seat): void
}

/** A seat in the fan-out, as its subscriber sees it. Small, since streams may have very many. */
export class StreamSubscription implements Subscription, Seat {
  index = -1
  /** Calls the abort action off. */
  callOff: (() => void) | undefined
  declare [Symbol.dispose]: () => void
  readonly #owner: SubscriptionOwner
  readonly #atClose: (() => void) | undefined
  #ready: Deferred | undefined

  /** `atClose` is called when the stream ends before the seat is left. */
  constructor(owner: SubscriptionOwner, atClose?: () => void) {
    this.#owner = owner
    this.#atClose = atClose
  }

  get closed(): boolean {
    return this.index < 0
  }

  get ready(): Promise<void> {
    if (this.#ready === undefined) {
      this.#ready = deferred()
      if (this.closed) this.#ready.reject(unsubscribed())
      else if (this.#owner.isJoined) this.#ready.resolve()
    }
    return this.#ready.promise
  }

  unsubscribe(): void {
    if (this.closed) return
    this.#owner.leave(this)
    this.#left(unsubscribed)
  }

  joined(refusal: RivuletError | undefined): void {
    if (refusal === undefined) this.#ready?.resolve()
    else this.#ready?.reject(refusal)
  }

  end(reason: () => RivuletError): void {
    this.#left(reason)
    this.#atClose?.()
  }

  #left(reason: () => RivuletError): void {
    this.callOff?.()
    this.#ready?.reject(reason())
  }
}

function unsubscribed(): RivuletError {
  return new RivuletError('STREAM_CLOSED', 'The subscription has ended.')
}

makeDisposable(StreamSubscription.prototype, 'dispose', 'unsubscribe')
