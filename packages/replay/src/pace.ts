import { setImmediate, setTimeout as sleep } from 'node:timers/promises'

/** The longest timer. */
const LONGEST_MS = 2 ** 31 - 1

/** The pause between two passes, in time of the recording. */
const PAUSE_MS = 1000

/** Computes when each message of a recording is due. All times count from one start, so that errors do not add up. */
export class Pace {
  readonly #speed: number
  #beginning: { readonly atMs: number; readonly nowMs: number } | undefined
  #lastAtMs = 0

  constructor(speed: number | 'max') {
    this.#speed = speed === 'max' ? Infinity : speed
  }

  /** Returns the ms from `nowMs` until a message recorded at `atMs` is due; 0 when it is due. */
  waitMs(atMs: number, nowMs: number): number {
    this.#lastAtMs = atMs
    this.#beginning ??= { atMs, nowMs }
    const dueMs = this.#beginning.nowMs + (atMs - this.#beginning.atMs) / this.#speed
    return Math.max(0, dueMs - nowMs)
  }

  /** Resolves when a message recorded at `atMs` is due. Rejects when `signal` aborts. */
  async until(atMs: number, signal: AbortSignal): Promise<void> {
    for (;;) {
      const waitMs = this.waitMs(atMs, performance.now())
      if (waitMs === 0) return
      await sleep(Math.min(waitMs, LONGEST_MS), undefined, { signal })
    }
  }

  /** Resolves when the next pass may begin, and resets the start. Rejects when `signal` aborts. */
  async restart(signal: AbortSignal): Promise<void> {
    await this.until(this.#lastAtMs + PAUSE_MS, signal)
    // Yields to other work also without a pause.
    await setImmediate(undefined, { signal })
    this.#beginning = undefined
  }
}
