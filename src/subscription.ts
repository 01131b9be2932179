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

/** What is to be undone when a subscription ends; `reason` makes the error, which few need. */
type End = (reason: () => RivuletError) => void

/** What a subscription needs of its stream. */
export interface SubscriptionOwner {
  leave(seat: Seat): void
  whenJoined(enlist: (reject: (error: RivuletError) => void) => void): Promise<void>
}

/** A seat in the fan-out, as its subscriber sees it. Small, since streams may have very many. */
export class StreamSubscription implements Subscription, Seat {
  index = -1
  declare [Symbol.dispose]: () => void
  readonly #owner: SubscriptionOwner
  #ready: Promise<void> | undefined
  /** What else is to be undone at the end: the abort action, the rejection of `ready`. */
  #ends: End[] | undefined

  constructor(owner: SubscriptionOwner) {
    this.#owner = owner
  }

  get closed(): boolean {
    return this.index < 0
  }

  get ready(): Promise<void> {
    this.#ready ??= this.#whenReady()
    return this.#ready
  }

  unsubscribe(): void {
    if (this.closed) return
    this.#owner.leave(this)
    this.end(unsubscribed)
  }

  /** Runs `action` when the subscription ends. */
  atEnd(action: End): void {
    this.#ends ??= []
    this.#ends.push(action)
  }

  /** Undoes what was to be undone; called once the seat is empty. */
  end(reason: () => RivuletError): void {
    if (this.#ends === undefined) return
    const ends = this.#ends
    this.#ends = undefined
    for (const action of ends) action(reason)
  }

  #whenReady(): Promise<void> {
    const ready = this.closed
      ? Promise.reject(unsubscribed())
      : this.#owner.whenJoined((reject) => this.atEnd((reason) => reject(reason())))
    ready.catch(() => {})
    return ready
  }
}

function unsubscribed(): RivuletError {
  return new RivuletError('STREAM_CLOSED', 'The subscription has ended.')
}

makeDisposable(StreamSubscription.prototype, 'dispose', 'unsubscribe')
