import { config, Observable, type Observer, Subscription as RxSubscription, Subject } from 'rxjs'
import { enter, leave, Subscription } from '../deliver/subscription.ts'
import { messageOf, type RivuletError } from '../errors/errors.ts'
import { errorOf, report } from '../errors/report.ts'
import type { Message } from '../message/message.ts'
import { publish } from '../publish/publish.ts'
import type { Subscriber } from '../state/deliver-part.ts'
import type { StreamState } from '../state/stream-state.ts'

type Next<Value> = (value: Value) => void

/** A stream as an RxJS Subject: it takes data and emits messages. */
export type StreamSubject<In, Out> = Observable<Message<Out>> & Observer<In> & { readonly observed: boolean }

/** The stream as an Observable whose subscribers are called by the stream's own fan-out. */
export class StreamObservable<Data> extends Observable<Message<Data>> {
  readonly #state: StreamState

  constructor(state: StreamState) {
    super((subscriber) => {
      if (state.isClosed) return subscriber.complete()
      const next = (message: Message) => subscriber.next(message as Message<Data>)
      return Subscription.open(state, next, undefined, () => subscriber.complete())
    })
    this.#state = state
  }

  /** A bare function subscribes without an RxJS Subscriber before it: 929 against 1 245 ns at 100 observers. */
  override subscribe(
    observer?: Partial<Observer<Message<Data>>> | Next<Message<Data>> | null,
    error?: Next<unknown> | null,
    complete?: (() => void) | null,
  ): RxSubscription {
    if (typeof observer === 'object' && observer !== null) return super.subscribe(observer)
    if (!observer || complete) return super.subscribe(observer, error, complete)
    return subscribeFunction(this.#state, observer as Next<Message>)
  }
}

/**
 * Makes the Subject. A source that completes or fails does not end the stream; its error is reported, since no other
 * listener receives it.
 */
export function subjectOf<In, Out>(
  state: StreamState,
  messages$: Observable<Message<Out>>,
): StreamSubject<In, Out> {
  const subject = Object.assign(new Subject<never>(), {
    next: (data: In) => void publish(state, data),
    error: (cause: unknown) => report(state, sourceFailed(state, cause)),
    complete: () => {},
    subscribe: messages$.subscribe.bind(messages$),
  })
  return Object.defineProperty(subject, 'observed', {
    get: () => state.counters.subscribers > 0,
  }) as unknown as StreamSubject<In, Out>
}

function sourceFailed(state: StreamState, cause: unknown): RivuletError {
  return errorOf(state, 'SOURCE_FAILED', `A source of the subject failed: ${messageOf(cause)}`, cause)
}

function subscribeFunction(state: StreamState, next: Next<Message>): RxSubscription {
  const subscription = new RxSubscription()
  if (state.isClosed) {
    subscription.unsubscribe()
    return subscription
  }
  const subscriber: Subscriber = { index: -1, joined() {}, ended: () => subscription.unsubscribe() }
  enter(state, subscriber, (message) => {
    try {
      next(message)
    } catch (error) {
      reportUnhandled(state, error)
    }
  })
  subscription.add(() => leave(state, subscriber))
  return subscription
}

/** Reports an error of a subscriber as RxJS does, so that an operator in between makes no difference. */
function reportUnhandled({ hub }: StreamState, error: unknown): void {
  const throwOn = () => {
    const { onUnhandledError } = config
    if (onUnhandledError === null) throw error
    onUnhandledError(error)
  }
  hub.environment.setTimer(throwOn, 0, true)
}
