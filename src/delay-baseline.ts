/** How long a smallest delay counts; two such spans are looked at, so it lives one to two minutes. */
const SPAN_MS = 60_000
/** A delay this far below the baseline is a forgery or another clock, not a faster network. */
const FAR_BELOW_MS = 60_000
/** Delays this close together are one and the same. */
const SAME_MS = 500
/** So many far-off delays in a row that agree are believed; late ones at so many moments. */
const AGREEING = 3

/** After so long in which everything was stale the delays are believed: nobody mutes an origin for longer. */
const MUTED_AT_MOST_MS = 60_000

/** Stale messages in a row. */
class LateRun {
  leastMs = Number.POSITIVE_INFINITY
  mostMs = Number.NEGATIVE_INFINITY
  readonly #sinceMs: number
  /** When the last arrival came that counts as another moment, and how many do. */
  #momentMs = Number.NEGATIVE_INFINITY
  #moments = 0

  constructor(arrivalMs: number) {
    this.#sinceMs = arrivalMs
  }

  add(delayMs: number, arrivalMs: number): void {
    this.leastMs = Math.min(this.leastMs, delayMs)
    this.mostMs = Math.max(this.mostMs, delayMs)
    if (arrivalMs - this.#momentMs <= SAME_MS) return
    this.#momentMs = arrivalMs
    this.#moments++
  }

  /** Two messages that two freezes made late prove nothing, however far apart. */
  hasLasted(ms: number, arrivalMs: number): boolean {
    return this.#moments >= AGREEING && arrivalMs - this.#sinceMs >= ms
  }
}

/** What a delay says about its message. */
export type Freshness = 'fresh' | 'stale' | 'malformed'

/**
 * Judges how late messages of one origin are, without synchronized clocks. A delay is `arrival − t`, the
 * receiver's clock less the publisher's; its smallest value of the last minutes stands for the undelayed path,
 * and what a message takes beyond that is how late it is. A windowed minimum, as in BBR's RTprop filter.
 */
export class DelayBaseline {
  #spanStartMs = 0
  #currentMs = 0
  #previousMs = Number.POSITIVE_INFINITY
  /** All that was stale since the last fresh one, and of that the last ones whose delays are the same. */
  #late: { readonly all: LateRun; same: LateRun } | undefined
  #early: { leastMs: number; count: number } | undefined

  /** Starts with the first delay heard, which can't be judged. */
  constructor(delayMs: number, arrivalMs: number) {
    this.#restart(delayMs, arrivalMs)
  }

  /** Judges a delay and learns from it. All in milliseconds; `maxAgeMs` may be `Infinity`. */
  judge(delayMs: number, arrivalMs: number, maxAgeMs: number): Freshness {
    const lateMs = delayMs - Math.min(this.#currentMs, this.#previousMs)
    if (lateMs < -FAR_BELOW_MS) return this.#judgeEarly(delayMs, arrivalMs)
    // If the publisher's clock has stepped, this one is as late as it is behind the one in doubt.
    if (lateMs < 0 && this.#early !== undefined && delayMs - this.#early.leastMs > maxAgeMs) return 'stale'
    this.#early = undefined
    if (lateMs > maxAgeMs) return this.#judgeLate(delayMs, arrivalMs, maxAgeMs)
    this.#late = undefined
    this.#learn(delayMs, arrivalMs)
    return 'fresh'
  }

  #judgeEarly(delayMs: number, arrivalMs: number): Freshness {
    const early = this.#early
    const agrees = early !== undefined && Math.abs(early.leastMs - delayMs) <= SAME_MS
    const leastMs = agrees ? Math.min(early.leastMs, delayMs) : delayMs
    this.#early = { leastMs, count: agrees ? early.count + 1 : 1 }
    if (this.#early.count < AGREEING) return 'malformed'
    this.#restart(leastMs, arrivalMs)
    return 'fresh'
  }

  /**
   * A delay that stays the same for `maxAgeMs` of arrivals is a step of the publisher's clock, e.g. a suspend: a
   * backlog shows shrinking ones.
   */
  #judgeLate(delayMs: number, arrivalMs: number, maxAgeMs: number): Freshness {
    this.#late ??= { all: new LateRun(arrivalMs), same: new LateRun(arrivalMs) }
    const late = this.#late
    if (late.same.mostMs - delayMs > SAME_MS || delayMs - late.same.leastMs > SAME_MS) {
      late.same = new LateRun(arrivalMs)
    }
    late.all.add(delayMs, arrivalMs)
    late.same.add(delayMs, arrivalMs)
    if (late.same.hasLasted(maxAgeMs, arrivalMs)) this.#restart(late.same.leastMs, arrivalMs)
    else if (late.all.hasLasted(MUTED_AT_MOST_MS, arrivalMs)) this.#restart(late.all.leastMs, arrivalMs)
    else return 'stale'
    return delayMs - this.#currentMs <= maxAgeMs ? 'fresh' : 'stale'
  }

  #restart(delayMs: number, arrivalMs: number): void {
    this.#early = undefined
    this.#late = undefined
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
