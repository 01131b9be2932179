import type { AnswerPost } from './post.ts'

/** How long a barrier waits for a transport that is little behind: its thread may be busy, blocked or gone. */
const PATIENCE_MS = 100
/** How long for one that is far behind. Below the 2 s after which the core takes the connection for dead. */
const LONG_PATIENCE_MS = 1_000
/** From how many bytes on, up to the last barrier, a transport is far behind. */
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
  /** How many posts with frames it has made, as far as is known here. */
  posts: number
  /** How many of these never came here. */
  missedHere: number
  /** How many of ours never came to it, as it last said. */
  missedThere: number
  /** The position of the ask at which it said so. */
  missedThereAt: number
}

/** How many posts never came to another transport, of those between the positions of two asks. */
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
 * The other transports on a bus, and how far each has read. There is no list of them anywhere: each one is known from
 * its own posts, and a thread that is terminated posts no end.
 */
export class Others {
  readonly #all = new Map<string, Other>()
  readonly #waits = new Set<Wait>()
  /** The position of the last barrier: several may wait at a time. */
  #asked = 0

  /**
   * Notes a transport that exists, and has made so many posts with frames; it need not answer what was posted up to
   * `position`. Returns how many of its posts never came here.
   */
  met(id: string, posts: number, position: number): number {
    const other = this.#all.get(id) ?? this.#add(id, posts, position)
    if (other === undefined) return 0
    countMissed(other, posts, posts)
    return other.missedHere
  }

  /** Notes a post with frames, the `nth` of its transport. */
  heard(id: string, nth: number): void {
    const other = this.#all.get(id)
    if (other !== undefined) countMissed(other, nth - 1, nth)
  }

  /** The position up to which all have read. */
  get allAnswered(): number {
    return Math.min(...Array.from(this.#all.values(), ({ answered }) => answered))
  }

  /** Notes that a transport has read up to a position. Returns which posts never came to it since it said so last. */
  answered({ answer: id, position, posts, missed }: AnswerPost): Missed | undefined {
    this.met(id, posts, position)
    const other = this.#all.get(id)
    if (other === undefined) return undefined
    other.answered = Math.max(other.answered, position)
    other.askedSinceMs = undefined
    const more = { missed: missed - other.missedThere, after: other.missedThereAt, upTo: position }
    other.missedThere = missed
    other.missedThereAt = position
    this.#look()
    return more.missed > 0 ? more : undefined
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
    this.#asked = Math.max(this.#asked, position)
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

  #add(id: string, posts: number, position: number): Other | undefined {
    if (this.#all.size === MAX_OTHERS) return undefined
    const missed = { missedHere: 0, missedThere: 0, missedThereAt: 0 }
    const other = { answered: position, askedSinceMs: undefined, posts, ...missed }
    this.#all.set(id, other)
    return other
  }

  /** Resolves a wait when its time is over; returns how to stop that. */
  #giveUpLater(wait: Wait): () => void {
    let timer: ReturnType<typeof setTimeout>
    const isFarBehind = () =>
      this.#behind(wait.position).some(({ answered }) => this.#asked - answered > FAR_BEHIND_BYTES)
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

/** Counts the posts that should have come before this one and did not. */
function countMissed(other: Other, before: number, posts: number): void {
  other.missedHere += Math.max(0, before - other.posts)
  other.posts = Math.max(other.posts, posts)
}
