import type { Message, Stream } from 'rivulet'

/** The reason why a stream has ended for its listeners. */
export type Ending =
  | { readonly event: 'removed'; readonly reason: 'removed' | 'expired' }
  | { readonly event: 'closing'; readonly reason: 'shutdown' | 'closed' }

/** Messages that the hub has missed, or may have, since a date in milliseconds: see the event `gap` of a stream. */
export interface Gap {
  /** How many messages are known to be missing. */
  readonly missed: number
  /** Since when, in milliseconds since 1970. */
  readonly sinceMs: number
}

/** A listener of one stream. Its methods are called by the broadcast and never throw. */
export interface StreamListener {
  /** Takes a message in the form that it asked for. The bytes are shared and never written to. */
  push(bytes: Uint8Array): void
  /** The hub was away, or finds now what it has missed then. Absent where the client's protocol has no place for it. */
  gap?(gap: Gap): void
  /** The stream is over. Called once; nothing is pushed afterwards. */
  end(ending: Ending): void
}

/** Writes a message for one kind of listener. `subject` is the protocol's own description of the stream. */
export type MessageEncoder<Subject> = (message: Message, subject: Subject) => Uint8Array

// While the broker is away a topic is not joined; messages of this gateway arrive nevertheless.
const LONGEST_JOIN_MS = 2000

/** A listener's hold on a stream. */
export interface Hold {
  /** Resolves when messages of other processes arrive, too. */
  readonly joined: Promise<void>
  /** Removes the listener. */
  stop(): void
}

/**
 * Hands the messages of one stream to its listeners. Each message is written once for each kind of listener, however
 * many there are. Messages go out at the end of the tick, when it is known who published them.
 */
export class Broadcast<Subject> {
  readonly #subject: Subject
  readonly #listeners = new Map<MessageEncoder<Subject>, Set<StreamListener>>()
  readonly #publishers = new WeakMap<Message, StreamListener>()
  readonly #stop: () => void
  #pending: Message[] = []
  #isOver = false

  /**
   * Resolves when messages of other processes arrive, too, after two seconds without the broker, and at once when the
   * broker refuses: the hub tries that again, and says so.
   */
  readonly joined: Promise<void>

  /** `over` is called once, when there are no listeners any more or the stream has ended. */
  constructor(subject: Subject, stream: Stream, over: (broadcast: Broadcast<Subject>) => void) {
    this.#subject = subject
    let removal: Ending | undefined
    const noteRemoval = ({ reason }: { readonly reason: 'removed' | 'expired' }) => {
      removal = { event: 'removed', reason }
    }
    const tellGap = (gap: Gap) => this.#tellGap(gap)
    stream.on('removed', noteRemoval)
    stream.on('gap', tellGap)
    const messages = stream.messages$.subscribe({
      next: (message) => this.#take(message),
      // The stream has its reason only after it has completed.
      complete: () => queueMicrotask(() => this.end(removal ?? { event: 'closing', reason: 'closed' })),
    })
    // An Observable has no promise of its join; a subscription has.
    const probe = stream.subscribe(() => {})
    this.#stop = () => {
      stream.off('removed', noteRemoval)
      stream.off('gap', tellGap)
      messages.unsubscribe()
      probe.unsubscribe()
      over(this)
    }
    const joined = probe.ready.catch(() => {}).finally(() => probe.unsubscribe())
    // One for all listeners: those that come while the broker is away leave nothing behind when they go.
    this.joined = withinMs(LONGEST_JOIN_MS, joined)
  }

  /** Adds a listener; it gets later messages only. */
  add(listener: StreamListener, encode: MessageEncoder<Subject>): void {
    this.#flush()
    const kind = this.#listeners.get(encode)
    if (kind === undefined) this.#listeners.set(encode, new Set([listener]))
    else kind.add(listener)
  }

  /** Removes a listener; without any the broadcast is over. */
  delete(listener: StreamListener): void {
    for (const [encode, kind] of this.#listeners) {
      if (kind.delete(listener) && kind.size === 0) this.#listeners.delete(encode)
    }
    if (this.#listeners.size === 0) this.#over()
  }

  /** Says who published a message in this tick: that listener does not get it back. */
  skip(message: Message, publisher: StreamListener): void {
    this.#publishers.set(message, publisher)
  }

  /** Sends every listener the reason why the stream ends. */
  end(ending: Ending): void {
    if (this.#isOver) return
    this.#flush()
    const all = [...this.#listeners.values()].flatMap((kind) => [...kind])
    this.#listeners.clear()
    this.#over()
    for (const listener of all) listener.end(ending)
  }

  #take(message: Message): void {
    if (this.#pending.push(message) === 1) queueMicrotask(() => this.#flush())
  }

  #flush(): void {
    const messages = this.#pending
    if (messages.length === 0) return
    this.#pending = []
    for (const message of messages) this.#send(message)
  }

  #send(message: Message): void {
    const publisher = this.#publishers.get(message)
    for (const [encode, kind] of this.#listeners) {
      const bytes = encode(message, this.#subject)
      for (const listener of kind) if (listener !== publisher) listener.push(bytes)
    }
  }

  /** Messages that were received before go first. */
  #tellGap(gap: Gap): void {
    this.#flush()
    for (const kind of this.#listeners.values()) for (const listener of kind) listener.gap?.(gap)
  }

  #over(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#stop()
  }
}

/** Waits for work that never rejects, but not longer than the limit. */
async function withinMs(limitMs: number, work: Promise<void>): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, limitMs)
  })
  await Promise.race([work, late])
  clearTimeout(timer)
}
