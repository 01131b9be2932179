import type { Environment } from 'rivulet'

interface Timer {
  readonly atMs: number
  readonly action: () => void
}

/** An environment whose time passes by `pass` only, and whose random numbers are the same in each run. */
export class SteppedEnvironment implements Environment {
  #nowMs = 1_000
  #seed = 1
  readonly #timers = new Set<Timer>()

  nowMs(): number {
    return this.#nowMs
  }

  dateMs(): number {
    return 1_700_000_000_000 + this.#nowMs
  }

  random(): number {
    this.#seed = (this.#seed * 48_271) % 0x7fffffff
    return this.#seed / 0x7fffffff
  }

  setTimer(action: () => void, waitMs: number): () => void {
    const timer = { atMs: this.#nowMs + waitMs, action }
    this.#timers.add(timer)
    return () => this.#timers.delete(timer)
  }

  /** Lets milliseconds pass: the timers that are due by then run, those that these start later. */
  pass(ms: number): void {
    this.#nowMs += ms
    const due = [...this.#timers].filter(({ atMs }) => atMs <= this.#nowMs)
    for (const timer of due.sort((one, other) => one.atMs - other.atMs)) {
      if (this.#timers.delete(timer)) timer.action()
    }
  }
}
