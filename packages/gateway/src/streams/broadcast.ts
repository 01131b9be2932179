import type { Stream } from 'rivulet'
import { messageEvent, statusEvent } from '../http/sse-event.ts'
import type { SseListener } from '../http/sse-listener.ts'

/** Hands the messages of one stream to its listeners. Each message is written once, however many there are. */
export class Broadcast {
  readonly #listeners = new Set<SseListener>()
  readonly #stop: () => void
  #isOver = false

  /** Resolves when messages of other processes come too. */
  readonly joined: Promise<void>

  /** `over` is called once, when there are no listeners any more or the stream has ended. */
  constructor(stream: Stream, over: (broadcast: Broadcast) => void) {
    let removal: object | undefined
    const noteRemoval = ({ reason }: { readonly reason: string }) => {
      removal = { reason }
    }
    stream.on('removed', noteRemoval)
    const messages = stream.messages$.subscribe({
      next: (message) => this.#send(messageEvent(message)),
      // The stream tells why it ended only after it has completed.
      complete: () => queueMicrotask(() => this.#streamEnded(removal)),
    })
    this.#stop = () => {
      stream.off('removed', noteRemoval)
      messages.unsubscribe()
      over(this)
    }
    // An Observable can't tell when its topic is joined; a subscription can.
    const probe = stream.subscribe(() => {})
    this.joined = probe.ready.catch(() => {}).finally(() => probe.unsubscribe())
  }

  add(listener: SseListener): void {
    this.#listeners.add(listener)
  }

  delete(listener: SseListener): void {
    this.#listeners.delete(listener)
    if (this.#listeners.size === 0) this.#over()
  }

  /** Tells every listener why it ends, and ends it. */
  end(event: 'removed' | 'closing', why: object): void {
    const last = statusEvent(event, why)
    for (const listener of [...this.#listeners]) listener.finish(last)
    this.#over()
  }

  #send(chunk: Uint8Array): void {
    for (const listener of this.#listeners) listener.push(chunk)
  }

  #streamEnded(removal: object | undefined): void {
    if (removal === undefined) this.end('closing', { reason: 'closed' })
    else this.end('removed', removal)
  }

  #over(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#stop()
  }
}
