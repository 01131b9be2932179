import { Observable, type Observer, Subject, type Subscription } from 'rxjs'
import type { Message } from './message.ts'

/** What the RxJS face needs of its stream. */
export interface SubjectSource {
  readonly isClosed: boolean
  /** Publishes; a refusal is counted and emitted, not thrown. */
  offer(data: unknown): void
  /** Seats an observer; returns how to leave. */
  observe(next: (message: Message) => void, complete: () => void): () => void
}

/** Makes the stream an Observable whose subscribers sit in its own fan-out. */
export function observableOf<Data>(source: SubjectSource): Observable<Message<Data>> {
  return new Observable((subscriber) => {
    if (source.isClosed) {
      subscriber.complete()
      return undefined
    }
    return source.observe(
      (message) => {
        subscriber.next(message as Message<Data>)
      },
      () => subscriber.complete(),
    )
  })
}

/** A stream as an RxJS Subject: what goes in is data, what comes out are messages. */
export type StreamSubject<In, Out> = Observable<Message<Out>> & Observer<In>

/** Makes the Subject. That a source completes or fails ends that source, not the stream. */
export function subjectOf<In, Out>(
  source: SubjectSource,
  messages$: Observable<Message<Out>>,
): StreamSubject<In, Out> {
  return new SourceSubject(source, messages$) as unknown as StreamSubject<In, Out>
}

class SourceSubject extends Subject<unknown> {
  readonly #source: SubjectSource
  readonly #messages$: Observable<unknown>

  constructor(source: SubjectSource, messages$: Observable<unknown>) {
    super()
    this.#source = source
    this.#messages$ = messages$
  }

  override next(data: unknown): void {
    this.#source.offer(data)
  }

  override error(): void {}

  override complete(): void {}

  override subscribe(...observer: unknown[]): Subscription {
    return this.#messages$.subscribe(...(observer as [Partial<Observer<unknown>>]))
  }
}
