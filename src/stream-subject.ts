import { config, Observable, type Observer, Subject, Subscription } from 'rxjs'
import type { Channel } from './channel.ts'
import type { Message } from './message.ts'

type Next<Value> = (value: Value) => void

/** Makes the stream an Observable whose subscribers sit in its own fan-out. */
export function observableOf<Data>(channel: Channel): Observable<Message<Data>> {
  return new StreamObservable(channel)
}

/** A stream as an RxJS Subject: what goes in is data, what comes out are messages. */
export type StreamSubject<In, Out> = Observable<Message<Out>> & Observer<In>

/** Makes the Subject. That a source completes or fails ends that source, not the stream. */
export function subjectOf<In, Out>(
  channel: Channel,
  messages$: Observable<Message<Out>>,
): StreamSubject<In, Out> {
  return Object.assign(new Subject<never>(), {
    next: (data: In) => void channel.admission.publish(data),
    error: () => {},
    complete: () => {},
    subscribe: messages$.subscribe.bind(messages$),
  }) as unknown as StreamSubject<In, Out>
}

class StreamObservable<Data> extends Observable<Message<Data>> {
  readonly #channel: Channel

  constructor(channel: Channel) {
    super((subscriber) => {
      if (channel.isClosed) return subscriber.complete()
      const next = (message: Message) => subscriber.next(message as Message<Data>)
      return channel.subscribe(next, undefined, () => subscriber.complete())
    })
    this.#channel = channel
  }

  /** A bare function takes its seat without an RxJS Subscriber before it, which would cost more than the fan-out. */
  override subscribe(
    observer?: Partial<Observer<Message<Data>>> | Next<Message<Data>> | null,
    error?: Next<unknown> | null,
    complete?: (() => void) | null,
  ): Subscription {
    if (typeof observer === 'object' && observer !== null) return super.subscribe(observer)
    if (!observer || error || complete) return super.subscribe(observer, error, complete)
    return seat(this.#channel, observer as Next<Message>)
  }
}

function seat(channel: Channel, next: Next<Message>): Subscription {
  const subscription = new Subscription()
  const guarded = (message: Message) => {
    try {
      next(message)
    } catch (error) {
      reportUnhandled(error)
    }
  }
  if (channel.isClosed) subscription.unsubscribe()
  else subscription.add(channel.subscribe(guarded, undefined, () => subscription.unsubscribe()))
  return subscription
}

/** What RxJS does with what a subscriber throws, so that it does not matter whether there is an operator between. */
function reportUnhandled(error: unknown): void {
  setTimeout(() => {
    if (config.onUnhandledError === null) throw error
    config.onUnhandledError(error)
  })
}
