import type { Clock, Environment } from '../base/environment.ts'

/** The sources of a wait: timers, random numbers, and a clock that never goes back. */
export interface Time {
  readonly environment: Environment
  readonly clock: Clock
}

/** The shortest and the longest wait before an attempt, and the longest in the first minute of an outage. */
const FIRST_RETRY_MS = 100
const EARLY_RETRY_MS = 1_000
const LAST_RETRY_MS = 5_000
const EARLY_MS = 60_000

/** Computes the wait after each failure in a row: exponential with jitter. */
export class BackOff {
  #failures = 0
  #failingSinceMs = 0

  /** Counts one more failure, and returns the wait before the next attempt, in milliseconds. */
  nextMs({ clock, environment }: Time): number {
    const nowMs = clock.nowMs()
    if (this.#failures++ === 0) this.#failingSinceMs = nowMs
    const longestMs = nowMs - this.#failingSinceMs < EARLY_MS ? EARLY_RETRY_MS : LAST_RETRY_MS
    // The exponent is bounded, or the power of a long outage would be Infinity.
    const mostMs = Math.min(longestMs, FIRST_RETRY_MS * 2 ** Math.min(this.#failures, 10))
    return mostMs * (0.5 + environment.random() / 2)
  }

  /** Starts anew after a success. */
  reset(): void {
    this.#failures = 0
  }
}
