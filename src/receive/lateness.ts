/** How long a smallest delay counts; two such spans are looked at, so it lives one to two minutes. */
const SPAN_MS = 60_000
/** Delays this close together are one and the same; arrivals this far apart are different moments. */
const SAME_MS = 500
const MOMENTS = 3
/** After so long in which everything was stale the delays are believed: nobody mutes a publisher for longer. */
const MUTED_AT_MOST_MS = 60_000

/** Stale messages since the last fresh one. */
class StaleRun {
  readonly sinceMs: number
  leastMs = Number.POSITIVE_INFINITY
  /** The last ones whose delays are the same: since when, between which bounds, at how many moments. */
  #steadySinceMs = 0
  #steadyLeastMs = Number.POSITIVE_INFINITY
  #steadyMostMs = Number.NEGATIVE_INFINITY
  #moments = 0
  #momentMs = Number.NEGATIVE_INFINITY

  constructor(arrivalMs: number) {
    this.sinceMs = arrivalMs
  }

  add(delayMs: number, arrivalMs: number): void {
    this.leastMs = Math.min(this.leastMs, delayMs)
    const isSteady = this.#steadyMostMs - delayMs <= SAME_MS && delayMs - this.#steadyLeastMs <= SAME_MS
    if (!isSteady || this.#moments === 0) {
      this.#steadySinceMs = arrivalMs
      this.#steadyLeastMs = delayMs
      this.#steadyMostMs = delayMs
      this.#moments = 0
      this.#momentMs = Number.NEGATIVE_INFINITY
    }
    this.#steadyLeastMs = Math.min(this.#steadyLeastMs, delayMs)
    this.#steadyMostMs = Math.max(this.#steadyMostMs, delayMs)
    if (arrivalMs - this.#momentMs <= SAME_MS) return
    this.#momentMs = arrivalMs
    this.#moments++
  }

  /** Returns the delay to believe from now on, or `undefined` while a backlog is as likely as a stepped clock. */
  settledMs(arrivalMs: number, maxAgeMs: number): number | undefined {
    if (this.#moments >= MOMENTS && arrivalMs - this.#steadySinceMs >= maxAgeMs) return this.#steadyLeastMs
    return arrivalMs - this.sinceMs >= MUTED_AT_MOST_MS ? this.leastMs : undefined
  }
}

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
  #previousMs = Number.POSITIVE_INFINITY
  #run: StaleRun | undefined

  /** Starts with the first delay heard, which can't be judged. */
  constructor(delayMs: number, arrivalMs: number) {
    this.#restart(delayMs, arrivalMs)
  }

  /** Since when everything has been stale; `undefined` when the last message was fresh. */
  get staleSinceMs(): number | undefined {
    return this.#run?.sinceMs
  }

  /**
   * Judges a delay and learns from it: returns whether it is stale. All in milliseconds. `promptStartMs` is when the
   * last barrier that was answered promptly began.
   */
  isStale(delayMs: number, arrivalMs: number, maxAgeMs: number, promptStartMs: number): boolean {
    if (delayMs - Math.min(this.#currentMs, this.#previousMs) <= maxAgeMs) {
      this.#run = undefined
      this.#learn(delayMs, arrivalMs)
      return false
    }
    this.#run ??= new StaleRun(arrivalMs)
    this.#run.add(delayMs, arrivalMs)
    const settledMs = this.#run.settledMs(arrivalMs, maxAgeMs)
    if (settledMs === undefined || promptStartMs <= this.#run.sinceMs) return true
    this.#restart(settledMs, arrivalMs)
    return delayMs - settledMs > maxAgeMs
  }

  #restart(delayMs: number, arrivalMs: number): void {
    this.#run = undefined
    this.#currentMs = delayMs
    this.#previousMs = Number.POSITIVE_INFINITY
    this.#spanStartMs = arrivalMs
  }

  #learn(delayMs: number, arrivalMs: number): void {
    if (arrivalMs - this.#spanStartMs > SPAN_MS) {
      this.#previousMs = this.#currentMs
      this.#currentMs = delayMs
      this.#spanStartMs = arrivalMs
    } else if (delayMs < this.#currentMs) this.#currentMs = delayMs
  }
}
