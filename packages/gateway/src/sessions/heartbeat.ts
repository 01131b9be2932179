import { runOutside } from 'rivulet/adapter'
import { unref } from '../base/unref.ts'

/** Calls a function with all sessions at an interval, with one timer, while there are any. */
export class Heartbeat<Session> {
  readonly #intervalMs: number
  readonly #beat: (sessions: readonly Session[], nowMs: number) => void
  readonly #sessions = new Set<Session>()
  #timer: ReturnType<typeof setTimeout> | undefined

  constructor(intervalMs: number, beat: (sessions: readonly Session[], nowMs: number) => void) {
    this.#intervalMs = intervalMs
    this.#beat = beat
  }

  /** A copy of the sessions. */
  get sessions(): readonly Session[] {
    return [...this.#sessions]
  }

  /** How many there are. */
  get size(): number {
    return this.#sessions.size
  }

  /** Adds a session, and starts the timer with the first one. */
  add(session: Session): void {
    this.#sessions.add(session)
    if (this.#timer === undefined) this.#schedule()
  }

  /** Takes a session out, and stops the timer with the last one. */
  delete(session: Session): void {
    this.#sessions.delete(session)
    if (this.#sessions.size > 0) return
    clearTimeout(this.#timer)
    this.#timer = undefined
  }

  /** Outside of the request that brought the session: the timer outlives it. */
  #schedule(): void {
    this.#timer = runOutside(() => setTimeout(() => this.#beatAll(), this.#intervalMs))
    // The sockets of sessions hold the process, and the timer need not.
    unref(this.#timer)
  }

  #beatAll(): void {
    this.#schedule()
    this.#beat(this.sessions, performance.now())
  }
}

/** Returns the number of beats without progress after which a client is taken for stalled. */
export function beatsUntilStalled(stallMs: number, intervalMs: number): number {
  return Math.max(1, Math.ceil(stallMs / intervalMs))
}
