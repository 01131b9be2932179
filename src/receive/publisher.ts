import type { Sid } from '../model/message.ts'
import { Lateness } from './lateness.ts'
import { MAX_JUMP, SeenNumbers } from './seen-numbers.ts'

/** So many far numbers in a row that follow each other make the window start again: the publisher is real. */
const CONSISTENT_JUMPS = 3
/** After so long without an accepted message old numbers are taken again: a forgery mutes no longer than this. */
const MUTED_AT_MOST_MS = 60_000
/** From this many messages on a publisher is proven, and evicted after those that are not. */
export const PROVEN_MESSAGES = 3

/** What is to be done with a numbered message. */
export type Verdict = 'deliver' | 'duplicate' | 'stale' | 'malformed'

/** When and where a message arrived. */
export interface Arrival {
  readonly nowMs: number
  /** The stream's limit on age; `Infinity` for none. */
  readonly maxAgeMs: number
  /** Counts the stream's joins: gaps are counted only within one. */
  readonly join: number
  /** Whether the connection's barrier is overdue, so that what arrives may be old. */
  readonly isOverdue: boolean
  /** When the last barrier that was answered promptly began. */
  readonly promptStartMs: number
}

/** What is known of one publisher on one topic, by its origin. */
export class Publisher {
  readonly origin: string
  messages = 0
  /** Gaps that the last arrival opened, less the one that it filled. */
  gapChange = 0
  /** Whether the last arrival came after a later one. */
  isReordered = false
  #seen = new SeenNumbers()
  #lateness: Lateness | undefined
  /** The join of the last message, and its first number: what lies before that was never missed. */
  #join: number | undefined
  #joinedAt = 0
  #jump: { last: number; count: number } | undefined
  #acceptedMs = Number.NEGATIVE_INFINITY

  constructor(origin: string) {
    this.origin = origin
  }

  /** Since when everything has been stale; `undefined` when the last message was fresh. */
  get staleSinceMs(): number | undefined {
    return this.#lateness?.staleSinceMs
  }

  /** Tells whether a number came before. */
  hasSeen(sequence: number): boolean {
    return this.#seen.place(sequence) === 'seen'
  }

  /** Judges a message and remembers its number, unless it is malformed or a repeat. */
  judge({ sequence }: Sid, tMs: number | undefined, arrival: Arrival): Verdict {
    this.gapChange = 0
    this.isReordered = false
    const place = this.#seen.place(sequence)
    if (place === 'seen') return 'duplicate'
    if (place === 'far' && !this.#isRealJump(sequence)) return 'malformed'
    const isStale = this.#isStale(tMs, arrival)
    const wasMuted = !isStale && arrival.nowMs - this.#acceptedMs > MUTED_AT_MOST_MS
    if (place === 'old' && !wasMuted) return 'duplicate'
    if (place === 'far' || place === 'old') this.#startAgain()
    this.#accept(sequence, arrival.join, place === 'behind')
    if (isStale) return 'stale'
    this.#acceptedMs = arrival.nowMs
    return 'deliver'
  }

  #isRealJump(sequence: number): boolean {
    const jump = this.#jump
    const follows = jump !== undefined && sequence > jump.last && sequence - jump.last <= MAX_JUMP
    this.#jump = { last: sequence, count: follows ? jump.count + 1 : 1 }
    return this.#jump.count >= CONSISTENT_JUMPS
  }

  #isStale(tMs: number | undefined, { nowMs, maxAgeMs, isOverdue, promptStartMs }: Arrival): boolean {
    if (this.#lateness !== undefined && tMs !== undefined) {
      return this.#lateness.isStale(nowMs - tMs, nowMs, maxAgeMs, promptStartMs)
    }
    if (isOverdue) return true
    if (tMs !== undefined) this.#lateness = new Lateness(nowMs - tMs, nowMs)
    return false
  }

  #startAgain(): void {
    this.#seen = new SeenNumbers()
    this.#join = undefined
  }

  #accept(sequence: number, join: number, isBehind: boolean): void {
    const isSameJoin = join === this.#join
    this.messages++
    this.#jump = undefined
    if (isBehind) {
      this.isReordered = true
      if (isSameJoin && sequence > this.#joinedAt) this.gapChange = -1
    } else {
      if (isSameJoin) this.gapChange = sequence - this.#seen.highest - 1
      else this.#joinedAt = sequence
      this.#join = join
    }
    this.#seen.mark(sequence)
  }
}
