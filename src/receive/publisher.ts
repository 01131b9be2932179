import type { Confirmations } from '../connection/confirmations.ts'
import type { Counters } from '../model/ledger.ts'
import type { Sid } from '../model/message.ts'
import type { StreamState } from '../model/stream-state.ts'
import { type Delays, isFresh, isStale, startDelays } from './lateness.ts'
import { MAX_JUMP, type Place, SeenNumbers } from './seen-numbers.ts'

/** So many far numbers in a row that follow each other make the window start again: the publisher is real. */
const CONSISTENT_JUMPS = 3
/** After so long without an accepted message a number is taken again, unless it is stale: a forgery mutes no longer. */
const MUTED_AT_MOST_MS = 60_000
/** From this many messages on a publisher is proven, and evicted after those that are not. */
export const PROVEN_MESSAGES = 3
/** Of a publisher of which nothing was delivered yet: long ago. */
const NEVER_S = -1e9
/**
 * So long after its last message the delays of a publisher say nothing any more: clocks run apart, machines sleep. What
 * comes then is judged as the first message of a publisher is.
 */
export const TRUSTED_S = 120

/** What is to be done with a numbered message. */
export type Verdict = 'deliver' | 'duplicate' | 'stale' | 'malformed'

/** When and where a message arrived. */
export interface Arrival {
  readonly state: StreamState
  readonly confirmations: Confirmations
  /** Counts the topic's joins: gaps are counted only within one. */
  readonly join: number
  readonly nowMs: number
  /** Tells whether the receiver's own clocks have come apart lately, so that everything seems late. */
  readonly isClockWrong: (maxAgeMs: number) => boolean
}

/** What is known of one publisher on one topic, by its origin. There may be hundreds of thousands: each takes some 300 bytes. */
export class Publisher implements Delays {
  readonly origin: string
  messages = 0
  /** When a message of it was delivered last, in seconds, rounded up: whole numbers take half the memory. */
  heardS = NEVER_S
  /** Its neighbours in the list that it is in, which writes them. */
  older: Publisher | undefined
  newer: Publisher | undefined
  spanStartS = NEVER_S
  leastMs = 0
  previousStartS = NEVER_S
  previousLeastMs = 0
  staleRun: Delays['staleRun']
  #seen = new SeenNumbers()
  /** The join of the last message, and its first number: what lies before that was never missed. */
  #join = -1
  #joinedAt = 0
  #jump: { last: number; count: number } | undefined

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
    const { nowMs, state } = arrival
    if (place === 'seen' || (place === 'old' && this.heardS !== NEVER_S)) {
      const maxAgeMs = maxAgeOf(state)
      // A possible repeat teaches nothing of delays: a recording that is played again would be believed after a while.
      if (!this.#isQuiet(maxAgeMs, nowMs) || !this.#isFresh(tMs, maxAgeMs, nowMs)) return 'duplicate'
    }
    if (place === 'far' && !this.#isRealJump(sequence)) return 'malformed'
    const isStale = this.#isStale(tMs, place, arrival)
    this.#accept(sequence, place, arrival.join, state.counters)
    if (isStale) return 'stale'
    this.heardS = Math.ceil(nowMs / 1_000)
    return 'deliver'
  }

  /** Frees what is needed only while numbers may still come late. */
  rest(): void {
    this.#seen.shrink()
  }

  /** Nothing is known of its delays any more. */
  forgetDelays(): void {
    this.spanStartS = NEVER_S
  }

  /**
   * Whether nothing was delivered for so long that a repeat of it is stale by now, a hundredth longer since clocks run
   * apart. Without a limit on age repeats could not be told from a publisher that was muted: nothing comes twice.
   */
  #isQuiet(maxAgeMs: number, nowMs: number): boolean {
    return nowMs - 1_000 * this.heardS > 1.01 * Math.max(MUTED_AT_MOST_MS, maxAgeMs)
  }

  get #hasDelays(): boolean {
    return this.spanStartS !== NEVER_S
  }

  /** A message without `t` may be of any age. */
  #isFresh(tMs: number | undefined, maxAgeMs: number, nowMs: number): boolean {
    return this.#hasDelays && isFresh(this, nowMs - (tMs ?? -Infinity), nowMs, maxAgeMs)
  }

  #isRealJump(sequence: number): boolean {
    const jump = this.#jump
    const follows = jump !== undefined && sequence > jump.last && sequence - jump.last <= MAX_JUMP
    this.#jump = { last: sequence, count: follows ? jump.count + 1 : 1 }
    return this.#jump.count >= CONSISTENT_JUMPS
  }

  #isStale(tMs: number | undefined, place: Place, arrival: Arrival): boolean {
    const { state, confirmations, nowMs } = arrival
    if (tMs === undefined) return mayBeOld(arrival)
    const delayMs = nowMs - tMs
    // A message that was sent before one that came long ago is late, whatever the clocks did since.
    const isTrusted = place === 'behind' || nowMs - 1_000 * this.heardS <= 1_000 * TRUSTED_S
    if (this.#hasDelays && isTrusted) {
      const maxAgeMs = maxAgeOf(state)
      if (!isStale(this, delayMs, nowMs, maxAgeMs, confirmations.promptStartMs)) return false
      // Whether a backlog or a stepped clock makes it late, a barrier that begins now will tell.
      confirmations.schedule(true)
      if (!arrival.isClockWrong(maxAgeMs)) return true
    }
    if (mayBeOld(arrival)) return true
    startDelays(this, delayMs, nowMs)
    return false
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

/** Returns how late a message of a stream may be, in milliseconds; `Infinity` without a limit. */
export function maxAgeOf({ options }: StreamState): number {
  return options.maxAgeMs === false ? Infinity : options.maxAgeMs
}

/** Tells whether what arrives may have waited on a frozen link: a message without a baseline is stale then. */
export function mayBeOld({ state, confirmations }: Arrival): boolean {
  return confirmations.isOverdue && state.options.maxAgeMs !== false
}
