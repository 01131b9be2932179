import type { AnswerPost } from './post.ts'

/** The time a barrier waits for a transport that is slightly behind: its thread may be busy, blocked or gone. */
const PATIENCE_MS = 100
/** The time for one that is far behind. Below the 2 s after which the core considers the connection dead. */
const LONG_PATIENCE_MS = 1_000
/** A transport is far behind from this many bytes before the last barrier. */
const FAR_BEHIND_BYTES = 1024 * 1024
/** A transport that answers no barrier for this time counts as ended: its thread was terminated. */
const FORGET_MS = 10_000
/** Bound on remembered transports: any program may post invented ids. */
const MAX_OTHERS = 1_024

interface Other {
  /** The position of the last ask it answered. */
  answered: number
  /** The time of our oldest unanswered ask. */
  askedSinceMs: number | undefined
  /** The number of posts with frames it has made, as far as known here. */
  posts: number
  /** The number of these that never arrived here. */
  missedHere: number
  /** The number of our posts it missed, as it last reported. */
  missedThere: number
  /** The position of the ask at which it reported that. */
  missedThereAt: number
}

/** The number of posts that another transport missed between the positions of two asks. */
export interface Missed {
  readonly missed: number
  readonly after: number
  readonly upTo: number
}

interface Wait {
  readonly position: number
  readonly resolve: () => void
  readonly reject: (cause: unknown) => void
}

/**
 * The other transports on a bus, and how far each has read. No list of them exists: each is known from its own posts,
 * and a terminated thread posts no end.
 */
export class Others {
  readonly #all = new Map<string, Other>()
  readonly #waits = new Set<Wait>()
  /** The position of the last barrier: several may wait at a time. */
  #asked = 0

  /**
   * Records a transport and its number of posts with frames; it need not answer posts up to `position`. Returns how many
   * of its posts never arrived here.
   */
  met(id: string, posts: number, position: number): number {
    const other = this.#all.get(id) ?? this.#add(id, posts, position)
    if (other === undefined) return 0
    countMissed(other, posts, posts)
    return other.missedHere
  }

  /** Records a post with frames, the `nth` of its transport. */
  heard(id: string, nth: number): void {
    const other = this.#all.get(id)
    if (other !== undefined) countMissed(other, nth - 1, nth)
  }

  /** The number of known transports. */
  get size(): number {
    return this.#all.size
  }

  /** The position that all have read up to. */
  get allAnswered(): number {
    return Math.min(...Array.from(this.#all.values(), ({ answered }) => answered))
  }

  /** Records how far a transport has read. Returns the posts it missed since its last answer. */
  answered({ answer: id, position, posts, missed }: AnswerPost): Missed | undefined {
    this.met(id, posts, position)
    const other = this.#all.get(id)
    if (other === undefined) return undefined
    other.answered = Math.max(other.answered, position)
    other.askedSinceMs = undefined
    const more = { missed: missed - other.missedThere, after: other.missedThereAt, upTo: position }
    other.missedThere = missed
    other.missedThereAt = position
    this.#check()
    return more.missed > 0 ? more : undefined
  }

  /** Removes a transport that has closed. */
  ended(id: string): void {
    this.#all.delete(id)
    this.#check()
  }

  /**
   * Resolves when all have read up to a position, or at the end of the time to wait. While a transport is far behind the
   * barrier is late, so that a publisher that fills `maxInFlightBytes` slows down instead of filling the memory; but it
   * resolves, so that one blocked thread does not seem to be a dead connection. Rejects on abort and at `clear`.
   */
  caughtUp(position: number, signal: AbortSignal): Promise<void> {
    const nowMs = performance.now()
    this.#asked = Math.max(this.#asked, position)
    for (const other of this.#behind(position)) other.askedSinceMs ??= nowMs
    let cancel = () => {}
    const settled = new Promise<void>((resolve, reject) => {
      const wait = { position, resolve, reject }
      const abort = () => reject(signal.reason)
      const stop = this.#giveUpLater(wait)
      this.#waits.add(wait)
      // After at least one turn of the event loop: posts already in this thread's queue come first.
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

  #add(id: string, posts: number, position: number): Other | undefined {
    if (this.#all.size === MAX_OTHERS) return undefined
    const missed = { missedHere: 0, missedThere: 0, missedThereAt: 0 }
    const other = { answered: position, askedSinceMs: undefined, posts, ...missed }
    this.#all.set(id, other)
    return other
  }

  /** Resolves a wait at the end of its time; returns a function that cancels this. */
  #giveUpLater(wait: Wait): () => void {
    let timer: ReturnType<typeof setTimeout>
    const isFarBehind = () =>
      this.#behind(wait.position).some(({ answered }) => this.#asked - answered > FAR_BEHIND_BYTES)
    const giveUp = () => {
      this.#forget()
      wait.resolve()
    }
    // After this thread was blocked, a due timer may run before posts that have already arrived.
    const afterPosts = (action: () => void) => () => {
      timer = setTimeout(action, 0)
    }
    const checkAgain = () => {
      if (isFarBehind()) timer = setTimeout(afterPosts(giveUp), LONG_PATIENCE_MS - PATIENCE_MS)
      else giveUp()
    }
    timer = setTimeout(afterPosts(checkAgain), PATIENCE_MS)
    return () => clearTimeout(timer)
  }

  #forget(): void {
    const untilMs = performance.now() - FORGET_MS
    for (const [id, { askedSinceMs }] of this.#all) {
      if (askedSinceMs !== undefined && askedSinceMs < untilMs) this.#all.delete(id)
    }
  }

  #check(): void {
    for (const { position, resolve } of this.#waits) if (this.#behind(position).length === 0) resolve()
  }

  #behind(position: number): Other[] {
    return [...this.#all.values()].filter(({ answered }) => answered < position)
  }
}

/** Counts the posts missing before this one. */
function countMissed(other: Other, before: number, posts: number): void {
  other.missedHere += Math.max(0, before - other.posts)
  other.posts = Math.max(other.posts, posts)
}
