import { Observable, type Observer, Subject } from 'rxjs'
import type { Channel } from './channel.ts'
import type { Message } from './message.ts'

/** Makes the stream an Observable whose subscribers sit in its own fan-out. */
export function observableOf<Data>(channel: Channel): Observable<Message<Data>> {
  return new Observable((subscriber) => {
    if (channel.isClosed) return subscriber.complete()
    const next = (message: Message) => subscriber.next(message as Message<Data>)
    return channel.subscribe(next, undefined, () => subscriber.complete())
  })
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
