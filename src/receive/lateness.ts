/** How long a smallest delay counts; two such spans are looked at, so it lives one to two minutes. */
const SPAN_MS = 60_000
/** Delays this close together are one and the same; arrivals this far apart are different moments. */
const SAME_MS = 500
const MOMENTS = 3
/** After so long in which everything was stale the delays are believed: nobody mutes a publisher for longer. */
const MUTED_AT_MOST_MS = 60_000

/**
 * Judges how late messages of one publisher are, without synchronized clocks. A delay is `arrival − t`, the
 * receiver's clock less the publisher's; its smallest value of the last minutes stands for the undelayed path,
 * and what a message takes beyond that is how late it is. A windowed minimum, as in BBR's RTprop filter.
 *
 * When the publisher's clock has stepped, everything of it is late for ever: once that has lasted, and a barrier on
 * the own connection shows that no backlog waits there, the minimum starts again.
 */
export class Lateness {
  #spanStartMs = 0
  #currentMs = 0
  #previousMs = Infinity
  /** Stale messages since the last fresh one. */
  #run: StaleRun | undefined

  /** Starts with the first delay heard, which can't be judged. */
  constructor(delayMs: number, arrivalMs: number) {
    this.#restart(delayMs, arrivalMs)
  }

  /**
   * Judges a delay and learns from it: returns whether it is stale. All in milliseconds. `promptStartMs` is when the
   * last barrier that was answered promptly began.
   */
  isStale(delayMs: number, arrivalMs: number, maxAgeMs: number, promptStartMs: number): boolean {
    if (this.isFresh(delayMs, maxAgeMs)) {
      this.#run = undefined
      if (arrivalMs - this.#spanStartMs > SPAN_MS) {
        this.#previousMs = this.#currentMs
        this.#currentMs = delayMs
        this.#spanStartMs = arrivalMs
      } else if (delayMs < this.#currentMs) this.#currentMs = delayMs
      return false
    }
    const run = this.#noted(delayMs, arrivalMs)
    const settledMs = settled(run, arrivalMs, maxAgeMs)
    if (settledMs === undefined || promptStartMs <= run.sinceMs) return true
    this.#restart(settledMs, arrivalMs)
    return delayMs - settledMs > maxAgeMs
  }

  /** Judges a delay by what is known, and learns nothing from it. */
  isFresh(delayMs: number, maxAgeMs: number): boolean {
    return delayMs - Math.min(this.#currentMs, this.#previousMs) <= maxAgeMs
  }

  #noted(delayMs: number, arrivalMs: number): StaleRun {
    const run = this.#run ?? runFrom(delayMs, arrivalMs)
    this.#run = run
    const { steady } = run
    run.leastMs = Math.min(run.leastMs, delayMs)
    steady.leastMs = Math.min(steady.leastMs, delayMs)
    steady.mostMs = Math.max(steady.mostMs, delayMs)
    if (steady.mostMs - steady.leastMs > SAME_MS) run.steady = steadyFrom(delayMs, arrivalMs)
    else if (arrivalMs - steady.momentMs > SAME_MS) {
      steady.momentMs = arrivalMs
      steady.moments++
    }
    return run
  }

  #restart(delayMs: number, arrivalMs: number): void {
    this.#run = undefined
    this.#currentMs = delayMs
    this.#previousMs = Infinity
    this.#spanStartMs = arrivalMs
  }
}

type StaleRun = ReturnType<typeof runFrom>

function runFrom(delayMs: number, arrivalMs: number) {
  return { sinceMs: arrivalMs, leastMs: delayMs, steady: steadyFrom(delayMs, arrivalMs) }
}

/** The last stale messages whose delays are the same: since when, between which bounds, at how many moments. */
function steadyFrom(delayMs: number, arrivalMs: number) {
  return { sinceMs: arrivalMs, leastMs: delayMs, mostMs: delayMs, moments: 1, momentMs: arrivalMs }
}

/** Returns the delay to believe from now on, or `undefined` while a backlog is as likely as a stepped clock. */
function settled(run: StaleRun, arrivalMs: number, maxAgeMs: number): number | undefined {
  const { moments, sinceMs, leastMs } = run.steady
  if (moments >= MOMENTS && arrivalMs - sinceMs >= maxAgeMs) return leastMs
  return arrivalMs - run.sinceMs >= MUTED_AT_MOST_MS ? run.leastMs : undefined
}
