import { after } from '../base/timer.ts'
import { queueSize } from '../publish/publish-queue.ts'
import type { IdleWatch, LifetimePart } from '../state/lifetime-part.ts'
import type { StreamState } from '../state/stream-state.ts'
import { endStream } from './ending.ts'

/** A timer that is later than this shows that the process, or its machine, was suspended. */
const LATE_MS = 1_000

/** Ends the stream once it was idle for `idleTtlSeconds`. */
export function watchIdleness(state: StreamState & LifetimePart, idleTtlSeconds: number): void {
  const watch = new Idleness(state, idleTtlSeconds * 1000)
  state.idle = watch
  watch.used()
}

/**
 * Stores the time of the last use, and checks it when a timer fires: at most once in each `idleTtlSeconds`, however
 * often the stream is used, and never while there are subscribers or handles.
 */
class Idleness implements IdleWatch {
  readonly #state: StreamState
  readonly #ttlMs: number
  #usedMs = 0
  #dueMs = 0
  #cancelTimer: (() => void) | undefined

  constructor(state: StreamState, ttlMs: number) {
    this.#state = state
    this.#ttlMs = ttlMs
  }

  used(nowMs = this.#state.hub.clock.nowMs()): void {
    this.#usedMs = nowMs
    if (this.#cancelTimer === undefined && !this.#state.isClosed && !this.#isInUse) this.#wait(nowMs)
  }

  stop(): void {
    this.#cancelTimer?.()
    this.#cancelTimer = undefined
  }

  /** Whether subscribers or handles use the stream: their end is reported, so no timer needs to check. */
  get #isInUse(): boolean {
    const { counters, handles } = this.#state
    return counters.subscribers > 0 || (handles !== undefined && handles.count > 0)
  }

  #wait(nowMs: number): void {
    this.#dueMs = this.#usedMs + this.#ttlMs
    this.#cancelTimer = after(this.#state.hub.environment, this.#dueMs - nowMs, () => this.#check(), false)
  }

  #check(): void {
    const state = this.#state
    this.#cancelTimer = undefined
    if (this.#isInUse) return
    const nowMs = state.hub.clock.nowMs()
    if (state.isClosed) return // by the program's own clock
    // No stream can be used while the process is suspended, so that time does not count as idle.
    if (queueSize(state) > 0 || nowMs - this.#dueMs > LATE_MS) this.#usedMs = nowMs
    if (nowMs - this.#usedMs >= this.#ttlMs) endStream(state, 'idle')
    else this.#wait(nowMs)
  }
}
