import type { Confirmations } from '../connection/confirmations.ts'
import type { Counters } from '../model/ledger.ts'
import type { Sid } from '../model/message.ts'
import type { StreamState } from '../model/stream-state.ts'
import { Lateness } from './lateness.ts'
import { MAX_JUMP, type Place, SeenNumbers } from './seen-numbers.ts'

/** So many far numbers in a row that follow each other make the window start again: the publisher is real. */
const CONSISTENT_JUMPS = 3
/** After so long without an accepted message a number is taken again, unless it is stale: a forgery mutes no longer. */
const MUTED_AT_MOST_MS = 60_000
/** From this many messages on a publisher is proven, and evicted after those that are not. */
export const PROVEN_MESSAGES = 3

/** What is to be done with a numbered message. */
export type Verdict = 'deliver' | 'duplicate' | 'stale' | 'malformed'

/** When and where a message arrived. */
export interface Arrival {
  readonly state: StreamState
  readonly confirmations: Confirmations
  /** Counts the topic's joins: gaps are counted only within one. */
  readonly join: number
  readonly nowMs: number
}

/** What is known of one publisher on one topic, by its origin. */
export class Publisher {
  readonly origin: string
  messages = 0
  #seen = new SeenNumbers()
  #lateness: Lateness | undefined
  /** The join of the last message, and its first number: what lies before that was never missed. */
  #join: number | undefined
  #joinedAt = 0
  #jump: { last: number; count: number } | undefined
  #acceptedMs = -Infinity

  constructor(origin: string) {
    this.origin = origin
  }

  get isProven(): boolean {
    return this.messages >= PROVEN_MESSAGES
  }

  /** Tells, before a frame is decoded, whether its number came before and was not forged then. */
  isRepeat({ sequence }: Sid, state: StreamState, nowMs: number): boolean {
    return this.#seen.place(sequence) === 'seen' && !this.#isQuiet(maxAgeOf(state), nowMs)
  }

  /** Judges a message and remembers its number, unless it is malformed or a repeat. */
  judge({ sequence }: Sid, tMs: number | undefined, arrival: Arrival): Verdict {
    const place = this.#seen.place(sequence)
    const maxAgeMs = maxAgeOf(arrival.state)
    const isQuiet = this.#isQuiet(maxAgeMs, arrival.nowMs)
    // A possible repeat teaches nothing of delays: a recording that is played again would be believed after a while.
    if (place === 'seen' && !(isQuiet && this.#isFresh(tMs, maxAgeMs, arrival.nowMs))) return 'duplicate'
    if (place === 'old' && !isQuiet) return 'duplicate'
    if (place === 'far' && !this.#isRealJump(sequence)) return 'malformed'
    const isStale = this.#isStale(tMs, arrival)
    if (place === 'old' && isStale) return 'duplicate'
    this.#accept(sequence, place, arrival.join, arrival.state.counters)
    if (isStale) return 'stale'
    this.#acceptedMs = arrival.nowMs
    return 'deliver'
  }

  /**
   * Whether nothing was accepted for so long that a repeat of it is stale by now. Without a limit on age repeats could
   * not be told from a publisher that was muted: nothing comes twice.
   */
  #isQuiet(maxAgeMs: number, nowMs: number): boolean {
    return nowMs - this.#acceptedMs > Math.max(MUTED_AT_MOST_MS, maxAgeMs)
  }

  /** A message without `t` may be of any age. */
  #isFresh(tMs: number | undefined, maxAgeMs: number, nowMs: number): boolean {
    return this.#lateness?.isFresh(nowMs - (tMs ?? -Infinity), maxAgeMs) === true
  }

  #isRealJump(sequence: number): boolean {
    const jump = this.#jump
    const follows = jump !== undefined && sequence > jump.last && sequence - jump.last <= MAX_JUMP
    this.#jump = { last: sequence, count: follows ? jump.count + 1 : 1 }
    return this.#jump.count >= CONSISTENT_JUMPS
  }

  #isStale(tMs: number | undefined, arrival: Arrival): boolean {
    const { state, confirmations, nowMs } = arrival
    if (this.#lateness === undefined || tMs === undefined) {
      if (mayBeOld(arrival)) return true
      if (tMs !== undefined) this.#lateness = new Lateness(nowMs - tMs, nowMs)
      return false
    }
    const isStale = this.#lateness.isStale(nowMs - tMs, nowMs, maxAgeOf(state), confirmations.promptStartMs)
    // Whether a backlog or a stepped clock makes it late, a barrier that begins now will tell.
    if (isStale) confirmations.schedule(true)
    return isStale
  }

  /** Marks a number and counts the gap that it opens or fills. */
  #accept(sequence: number, place: Place, join: number, counters: Counters): void {
    const isSameJoin = join === this.#join
    this.#jump = undefined
    if (place === 'behind') {
      counters.add('reordered', 1)
      if (isSameJoin && sequence > this.#joinedAt) counters.add('missed', -1)
    } else if (place === 'ahead' && isSameJoin) {
      const gap = sequence - this.#seen.highest - 1
      if (gap > 0) counters.add('missed', gap)
    } else {
      if (place !== 'ahead') this.#seen = new SeenNumbers()
      this.#join = join
      this.#joinedAt = sequence
    }
    this.#seen.mark(sequence)
    this.messages++
  }
}

function maxAgeOf({ options }: StreamState): number {
  return options.maxAgeMs === false ? Infinity : options.maxAgeMs
}

/** Tells whether what arrives may have waited on a frozen link: a message without a baseline is stale then. */
export function mayBeOld({ state, confirmations }: Arrival): boolean {
  return confirmations.isOverdue && state.options.maxAgeMs !== false
}
