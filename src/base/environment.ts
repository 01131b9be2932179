import { runOutside } from './async-context.ts'

/** Provides time and random numbers; a test or a simulation can replace them. */
export interface Environment {
  /** Reads a monotonic clock, in milliseconds. */
  nowMs(): number
  /** Reads the date, in milliseconds since 1970. */
  dateMs(): number
  /** Draws a number from 0 up to, but not including, 1. */
  random(): number
  /**
   * Calls `action` once after `waitMs` milliseconds, at most 2³¹−1, and returns a function that cancels it. Without
   * `holdsProcess` the wait does not keep a Node process alive.
   */
  setTimer(action: () => void, waitMs: number, holdsProcess: boolean): () => void
}

/** The runtime's own. Globals are looked up at each call: fake timers that are installed later govern them too. */
export const realEnvironment: Environment = {
  nowMs: () => performance.now(),
  dateMs: () => Date.now(),
  random: () => (crypto.getRandomValues(new Uint32Array(1))[0] as number) / 2 ** 32,
  setTimer(action, waitMs, holdsProcess) {
    const handle = setTimeout(action, waitMs)
    if (!holdsProcess) (handle as { unref?(): void }).unref?.()
    return () => clearTimeout(handle)
  },
}

/** Wraps an environment so that its timers run outside of any request, even when set inside one. */
export function outside(environment: Environment): Environment {
  return {
    nowMs: () => environment.nowMs(),
    dateMs: () => environment.dateMs(),
    random: () => environment.random(),
    setTimer: (action, waitMs, holdsProcess) =>
      // Set outside, so that the timer keeps no request's context; called outside for the sake of fake timers.
      runOutside(() => environment.setTimer(() => runOutside(action), waitMs, holdsProcess)),
  }
}

/** Reads a clock that never goes back: it stops while the underlying one does. */
export class Clock {
  readonly #readMs: () => number
  readonly #readDateMs: (() => number) | undefined
  #latestMs = -Infinity
  #offsetMs = 0

  /** `readDateMs` reads the date that goes with the clock, if there is one. */
  constructor(readMs: () => number, readDateMs?: () => number) {
    this.#readMs = readMs
    this.#readDateMs = readDateMs
  }

  nowMs(): number {
    const read = this.#readMs // may be the user's, whose `this` is no Clock
    const readMs = read()
    if (readMs < this.#latestMs) this.#offsetMs += this.#latestMs - readMs
    this.#latestMs = readMs
    return readMs + this.#offsetMs
  }

  /**
   * Returns the milliseconds from a reading of the clock, by default one made now, to the date. It changes when the
   * machine sleeps, since a monotonic clock stops then, or when one of the two is set. Always 0 without a date.
   */
  dateOffsetMs(nowMs?: number): number {
    return this.#readDateMs === undefined ? 0 : this.#readDateMs() - (nowMs ?? this.nowMs())
  }
}
