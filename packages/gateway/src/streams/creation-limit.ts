import { ApiError } from '../base/problem.ts'

// As Twilio's limit on messages has a window of ten seconds for a burst.
const BURST_SECONDS = 10

/** Limits how many streams of a service are created a second: a leaky bucket, which holds those of ten seconds. */
export class CreationLimit {
  readonly #ratePerSecond: number
  readonly #buckets = new Map<string, { level: number; atMs: number }>()

  constructor(ratePerSecond: number) {
    this.#ratePerSecond = ratePerSecond
  }

  /** Takes room for one stream, or throws 54009. */
  take(serviceSid: string, nowMs: number): void {
    const before = this.#buckets.get(serviceSid) ?? { level: 0, atMs: nowMs }
    const leaked = ((nowMs - before.atMs) / 1000) * this.#ratePerSecond
    const level = Math.max(before.level - leaked, 0) + 1
    if (level > this.#ratePerSecond * BURST_SECONDS)
      throw new ApiError('tooManyCreations', { 'retry-after': '1' })
    this.#buckets.set(serviceSid, { level, atMs: nowMs })
  }
}
