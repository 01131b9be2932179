import type { Environment } from 'rivulet'

interface Timer {
  readonly atMs: number
  readonly action: () => void
}

/** Time and chance that move only when the test says so. */
export class HandMadeEnvironment implements Environment {
  #nowMs = 1_000
  readonly #timers = new Set<Timer>()
  #seed = 1

  nowMs(): number {
    return this.#nowMs
  }

  dateMs(): number {
    return 1_700_000_000_000 + this.#nowMs
  }

  /** Draws from a small generator: the same numbers in every run. */
  random(): number {
    this.#seed = (this.#seed * 48_271) % 0x7fffffff
    return this.#seed / 0x7fffffff
  }

  readonly setTimer = (action: () => void, waitMs: number) => {
    const timer = { atMs: this.#nowMs + waitMs, action }
    this.#timers.add(timer)
    return () => this.#timers.delete(timer)
  }

  /** Timers that run. */
  get timers(): number {
    return this.#timers.size
  }

  /** Lets milliseconds pass: every timer that is due runs, in order, and every promise after each. */
  async pass(ms: number): Promise<void> {
    const endMs = this.#nowMs + ms
    await settle()
    for (let next = this.#next(endMs); next !== undefined; next = this.#next(endMs)) {
      this.#nowMs = Math.max(this.#nowMs, next.atMs)
      this.#timers.delete(next)
      next.action()
      await settle()
    }
    this.#nowMs = endMs
  }

  #next(endMs: number): Timer | undefined {
    let next: Timer | undefined
    for (const timer of this.#timers) {
      if (timer.atMs <= endMs && (next === undefined || timer.atMs < next.atMs)) next = timer
    }
    return next
  }
}

/** Lets every promise that is settled by now go on. */
function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
