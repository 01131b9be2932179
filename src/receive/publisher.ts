import type { Confirmations } from '../connection/confirmations.ts'
import type { Sid } from '../message/sid.ts'
import { LEAST_STEP_MS } from '../state/clock-step.ts'
import type { StreamState } from '../state/stream-state.ts'
import type { Absences } from './absences.ts'
import { type Delays, isFresh, isStale, startDelays } from './lateness.ts'
import { MAX_JUMP, type Place, SeenNumbers } from './seen-numbers.ts'

/** After this many consecutive far numbers the window starts again: the publisher is real. */
const CONSISTENT_JUMPS = 3
/** After this time without an accepted message a number is accepted again, unless stale: a forgery mutes no longer. */
const MUTED_AT_MOST_MS = 60_000
/** With this many messages a publisher is proven, and is evicted after all unproven ones. */
export const PROVEN_MESSAGES = 3
/** The time of the last delivery of a publisher without one: long ago. */
const NEVER_S = -1e9
/**
 * After this time since its last message the delays of a publisher are void: clocks run apart, machines sleep. A later
 * message is judged like the first of a publisher.
 */
export const TRUSTED_S = 120

/** The verdict on a numbered message: whether to deliver it, or the reason to drop it. */
export type Verdict = 'deliver' | 'duplicate' | 'stale' | 'malformed'

/** The circumstances of the arrival of a message. */
export interface Arrival {
  readonly state: StreamState
  readonly confirmations: Confirmations
  /** The topic's joins: `missed` counts within one, `missedAway` between two. */
  readonly absences: Absences
  readonly nowMs: number
  /** Returns whether the receiver's own clocks have come apart lately, so that every message seems late. */
  readonly isClockWrong: (maxAgeMs: number) => boolean
}

/** One publisher on one topic, by its origin. There may be hundreds of thousands: each takes some 300 bytes. */
export class Publisher implements Delays {
  readonly origin: string
  messages = 0
  /** The time of its last delivered message, in seconds, rounded up: whole numbers take half the memory. */
  deliveredS = NEVER_S
  /** Its neighbours in its recency list, which alone writes them. */
  older: Publisher | undefined
  newer: Publisher | undefined
  spanStartS = NEVER_S
  leastMs = 0
  previousStartS = NEVER_S
  previousLeastMs = 0
  staleRun: Delays['staleRun']
  #seen = new SeenNumbers()
  /** The join of the last message, and the first number in it: numbers before that do not count as missed. */
  #join = -1
  #joinedAt = 0
  /** The last number of the join before, if numbers between that and `#joinedAt` count as missed meanwhile. */
  #leftAt = 0
  #jump: { last: number; count: number } | undefined

  constructor(origin: string) {
    this.origin = origin
  }

  get isProven(): boolean {
    return this.messages >= PROVEN_MESSAGES
  }

  /** Returns, before a frame is decoded, whether its number was received before and not forged then. */
  isRepeat({ sequence }: Sid, state: StreamState, nowMs: number): boolean {
    return this.#seen.place(sequence) === 'seen' && !this.#isIdle(maxAgeOf(state), nowMs)
  }

  /** Judges a message and remembers its number, unless it is malformed or a repeat. */
  judge({ sequence }: Sid, tMs: number | undefined, arrival: Arrival): Verdict {
    const place = this.#seen.place(sequence)
    const { nowMs, state } = arrival
    if (place === 'seen' || (place === 'old' && this.deliveredS !== NEVER_S)) {
      const maxAgeMs = maxAgeOf(state)
      // A possible repeat does not update the delays: those of a replayed recording would be accepted after a while.
      if (!this.#isIdle(maxAgeMs, nowMs) || !this.#isFresh(tMs, maxAgeMs, nowMs)) return 'duplicate'
    }
    if (place === 'far' && !this.#isRealJump(sequence)) return 'malformed'
    const isStale = this.#isStale(tMs, place, arrival)
    this.#accept(sequence, place, arrival)
    if (isStale) return 'stale'
    this.deliveredS = Math.ceil(nowMs / 1_000)
    return 'deliver'
  }

  /** Frees the bitmap, which is needed only while numbers may still come late. */
  rest(): void {
    this.#seen.shrink()
  }

  /** Forgets all delays of this publisher. */
  forgetDelays(): void {
    this.spanStartS = NEVER_S
  }

  /**
   * Returns whether its last delivery was so long ago that a repeat is stale by now; a hundredth longer, since clocks
   * run apart. Without a limit on age always false: a repeat and a muted publisher would look the same.
   */
  #isIdle(maxAgeMs: number, nowMs: number): boolean {
    return nowMs - 1_000 * this.deliveredS > 1.01 * Math.max(MUTED_AT_MOST_MS, maxAgeMs)
  }

  get #hasDelays(): boolean {
    return this.spanStartS !== NEVER_S
  }

  /** Returns whether a message is fresh; one without `t` may have any age. */
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
    const isTrusted = place === 'behind' || nowMs - 1_000 * this.deliveredS <= 1_000 * TRUSTED_S
    const maxAgeMs = maxAgeOf(state)
    // Much earlier than all before: the receiver's clock may have been set back, which would hide the next forward
    // step.
    if (this.#hasDelays && delayMs < this.leastMs - LEAST_STEP_MS) arrival.isClockWrong(maxAgeMs)
    if (this.#hasDelays && isTrusted) {
      if (!isStale(this, delayMs, nowMs, maxAgeMs, confirmations.promptStartMs)) return false
      // A barrier that begins now will show whether a backlog or a stepped clock makes it late.
      confirmations.schedule(true)
      if (!arrival.isClockWrong(maxAgeMs)) return true
    }
    if (mayBeOld(arrival)) return true
    startDelays(this, delayMs, nowMs)
    return false
  }

  /** Marks a number and counts the gap that it opens or fills. */
  #accept(sequence: number, place: Place, arrival: Arrival): void {
    const { counters } = arrival.state
    const { absences } = arrival
    const { join } = absences
    const isSameJoin = join === this.#join
    this.#jump = undefined
    if (place === 'behind') {
      counters.add('reordered', 1)
      if (isSameJoin && sequence > this.#joinedAt) counters.add('missed', -1)
      else if (this.#wasAway(sequence, absences)) counters.add('missedAway', -1)
    } else if (place === 'ahead' && isSameJoin) {
      const gap = sequence - this.#seen.highest - 1
      if (gap > 0) counters.add('missed', gap)
    } else {
      this.#leftAt = sequence
      if (place !== 'ahead') this.#seen = new SeenNumbers()
      else if (absences.isComparable(this.#join)) this.#countAway(sequence, arrival)
      this.#join = join
      this.#joinedAt = sequence
    }
    this.#seen.mark(sequence)
    this.messages++
  }

  /**
   * Returns whether a number counts as missed between two joins. It does not once the program has left: an earlier
   * stream may have received it.
   */
  #wasAway(sequence: number, absences: Absences): boolean {
    return absences.isComparable(this.#join) && sequence > this.#leftAt && sequence < this.#joinedAt
  }

  /** Counts the numbers missed between two joins. */
  #countAway(sequence: number, { absences, state }: Arrival): void {
    this.#leftAt = this.#seen.highest
    const missed = sequence - this.#leftAt - 1
    if (missed > 0) absences.missed(state, missed, this.#join)
  }
}

/** Returns the most that a message of a stream may be late, in milliseconds; `Infinity` without a limit. */
export function maxAgeOf({ options }: StreamState): number {
  return options.maxAgeMs === false ? Infinity : options.maxAgeMs
}

/** Returns whether an arriving message may have waited on a frozen link; without known delays it is stale then. */
export function mayBeOld({ state, confirmations }: Arrival): boolean {
  return confirmations.isOverdue && state.options.maxAgeMs !== false
}
