import { LeakyBucket } from 'rivulet/adapter'
import type { PageLimits } from './pages-options.ts'
import { REMOVALS_PER_SECOND, receivingBucket } from './rate-gate.ts'

/** Joins, leaves and barriers a second; twice the most joins may come at once. */
const REQUESTS_PER_SECOND = 200
/** The most buckets that are kept for pages that have ended. */
const MAX_KEPT = 10_000

/** The limits of one page over all its streams. */
export interface Buckets {
  readonly messages: LeakyBucket
  readonly removals: LeakyBucket
  readonly requests: LeakyBucket
}

/** The buckets of all pages. When a page ends, the next page of its identity gets them, so reconnecting resets no rate. */
export class PageBuckets {
  readonly #limits: PageLimits
  /** By identity, the oldest first. */
  readonly #kept = new Map<string, Buckets[]>()
  #count = 0

  constructor(limits: PageLimits) {
    this.#limits = limits
  }

  /** Gives a page its buckets: the kept ones with the least capacity, or new ones. */
  take(identity: string, nowMs: number): Buckets {
    const waiting = this.#kept.get(identity)
    if (waiting === undefined) return this.#make()
    const capacity = ({ messages }: Buckets) => messages.available(nowMs)
    waiting.sort((one, other) => capacity(other) - capacity(one))
    const taken = waiting.pop() as Buckets
    this.#count--
    if (waiting.length === 0) this.#kept.delete(identity)
    return taken
  }

  /** Keeps the buckets of a page that has ended. */
  keep(identity: string, buckets: Buckets): void {
    const waiting = this.#kept.get(identity)
    if (waiting === undefined) this.#kept.set(identity, [buckets])
    else waiting.push(buckets)
    if (++this.#count <= MAX_KEPT) return
    for (const [oldest, { length }] of this.#kept) {
      this.#kept.delete(oldest)
      this.#count -= length
      return
    }
  }

  /** Forgets buckets that are empty again. */
  forgetIdle(nowMs: number): void {
    const fresh = this.#make()
    for (const [identity, waiting] of this.#kept) {
      const used = waiting.filter((buckets) => !isAsRoomy(buckets, fresh, nowMs))
      this.#count -= waiting.length - used.length
      if (used.length === 0) this.#kept.delete(identity)
      else this.#kept.set(identity, used)
    }
  }

  #make(): Buckets {
    const { maxMessagesPerSecond, maxJoinsPerPage } = this.#limits
    return {
      messages: receivingBucket(maxMessagesPerSecond, maxMessagesPerSecond),
      removals: new LeakyBucket(REMOVALS_PER_SECOND, REMOVALS_PER_SECOND),
      requests: new LeakyBucket(REQUESTS_PER_SECOND, 2 * maxJoinsPerPage + REQUESTS_PER_SECOND),
    }
  }
}

function isAsRoomy(buckets: Buckets, fresh: Buckets, nowMs: number): boolean {
  const names = ['messages', 'removals', 'requests'] as const
  return names.every((name) => buckets[name].available(nowMs) >= fresh[name].available(nowMs))
}
