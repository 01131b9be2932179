/** How long a barrier waits for a transport that is little behind: its thread may be busy, blocked or gone. */
const PATIENCE_MS = 100
/** How long for one that is far behind. Below the 2 s after which the core takes the connection for dead. */
const LONG_PATIENCE_MS = 1_500
/** From how many bytes on a transport is far behind. */
const FAR_BEHIND_BYTES = 1024 * 1024
/** A transport that leaves every barrier of this time unanswered counts as ended: a thread that was terminated. */
const FORGET_MS = 10_000
/** Bound on remembered transports: anybody may post invented ids. */
const MAX_OTHERS = 1_024

interface Other {
  /** The position of the last ask that it answered. */
  answered: number
  /** Since when an ask of ours has waited for its answer. */
  askedSinceMs: number | undefined
}

interface Wait {
  readonly position: number
  readonly resolve: () => void
  readonly reject: (cause: unknown) => void
}

/**
 * The other transports on a bus, and how far each has read. There is no list of them anywhere: each one is known from
 * its own posts, and a thread that is terminated posts no end.
 */
export class Others {
  readonly #all = new Map<string, Other>()
  readonly #waits = new Set<Wait>()

  /** Notes a transport that exists; it need not answer what was posted up to `position`. */
  met(id: string, position: number): void {
    if (this.#all.has(id) || this.#all.size === MAX_OTHERS) return
    this.#all.set(id, { answered: position, askedSinceMs: undefined })
  }

  /** Notes that a transport has read up to a position. */
  answered(id: string, position: number): void {
    this.met(id, position)
    const other = this.#all.get(id)
    if (other === undefined) return
    other.answered = Math.max(other.answered, position)
    other.askedSinceMs = undefined
    this.#look()
  }

  /** Notes that a transport has closed. */
  ended(id: string): void {
    this.#all.delete(id)
    this.#look()
  }

  /**
   * Resolves when all have read up to a position, or when waiting for the rest is over. While one is far behind a
   * barrier is late, so that a publisher which fills `maxInFlightBytes` slows down instead of filling the memory; yet
   * it is answered, so that one blocked thread does not look like a dead connection. Rejects on abort and at `clear`.
   */
  caughtUp(position: number, signal: AbortSignal): Promise<void> {
    const nowMs = performance.now()
    for (const other of this.#behind(position)) other.askedSinceMs ??= nowMs
    let cancel = () => {}
    const settled = new Promise<void>((resolve, reject) => {
      const wait = { position, resolve, reject }
      const abort = () => reject(signal.reason)
      const stop = this.#giveUpLater(wait)
      this.#waits.add(wait)
      // At least one turn of the event loop: what this thread has in its queue comes before.
      if (this.#behind(position).length === 0) setTimeout(resolve, 0)
      signal.addEventListener('abort', abort)
      cancel = () => {
        stop()
        this.#waits.delete(wait)
        signal.removeEventListener('abort', abort)
      }
      if (signal.aborted) abort()
    })
    return settled.finally(() => cancel())
  }

  /** Forgets all, and rejects every wait. */
  clear(cause: unknown): void {
    this.#all.clear()
    for (const { reject } of this.#waits) reject(cause)
  }

  /** Resolves a wait when its time is over; returns how to stop that. */
  #giveUpLater(wait: Wait): () => void {
    let timer: ReturnType<typeof setTimeout>
    const isFarBehind = () =>
      this.#behind(wait.position).some(({ answered }) => wait.position - answered > FAR_BEHIND_BYTES)
    const giveUp = () => {
      this.#forget()
      wait.resolve()
    }
    // A timer that is due may run before posts that are here already, when this thread itself was blocked.
    const afterPosts = (action: () => void) => () => {
      timer = setTimeout(action, 0)
    }
    const lookAgain = () => {
      if (isFarBehind()) timer = setTimeout(afterPosts(giveUp), LONG_PATIENCE_MS - PATIENCE_MS)
      else giveUp()
    }
    timer = setTimeout(afterPosts(lookAgain), PATIENCE_MS)
    return () => clearTimeout(timer)
  }

  #forget(): void {
    const untilMs = performance.now() - FORGET_MS
    for (const [id, { askedSinceMs }] of this.#all) {
      if (askedSinceMs !== undefined && askedSinceMs < untilMs) this.#all.delete(id)
    }
  }

  #look(): void {
    for (const { position, resolve } of this.#waits) if (this.#behind(position).length === 0) resolve()
  }

  #behind(position: number): Other[] {
    return [...this.#all.values()].filter(({ answered }) => answered < position)
  }
}
