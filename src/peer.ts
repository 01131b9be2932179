import { DelayBaseline } from './delay-baseline.ts'
import { MAX_JUMP, ReplayWindow } from './replay-window.ts'

/** So many far numbers in a row that follow each other make the window start again: the origin is real. */
const CONSISTENT_JUMPS = 3
/** After so long without an accepted message old numbers are taken again: a forgery mutes no longer than this. */
const MUTED_AT_MOST_MS = 60_000
/** From this many messages on an origin is proven, and evicted after those that are not. */
const PROVEN_MESSAGES = 3

/** What is to be done with a numbered message. */
export type Verdict = 'deliver' | 'duplicate' | 'stale' | 'malformed'

/** What a message says of itself, and when it came. `tMs` may be absent. */
export interface Arrival {
  readonly sequence: number
  readonly tMs: number | undefined
  readonly arrivalMs: number
  /** The stream's limit on age; `Infinity` for none. */
  readonly maxAgeMs: number
  /** Counts the stream's joins: gaps are counted only within one. */
  readonly join: number
  /** Whether the connection's barrier is so long overdue that what arrives may be old. */
  readonly mayBeOld: boolean
}

/** What is known of one publisher on one stream, by its origin. */
export class Peer {
  readonly origin: string
  /** Gaps that this arrival opened, less the one that it filled. Read after `judge`. */
  gapChange = 0
  /** Whether this arrival came after a later one. Read after `judge`. */
  isReordered = false
  /** Whether garbage came under this origin; until it delivers again, it does not stand out in a flood. */
  isDoubted = false
  #messages = 0
  #window = new ReplayWindow()
  #baseline: DelayBaseline | undefined
  /** The join of the last message, and its first number: what lies before that was never missed. */
  #join: number | undefined
  #joinedAt = 0
  #jump: { last: number; count: number } | undefined
  #acceptedMs = Number.NEGATIVE_INFINITY

  constructor(origin: string) {
    this.origin = origin
  }

  get isProven(): boolean {
    return this.#messages >= PROVEN_MESSAGES
  }

  /** Tells whether a message of this number is worth decoding while garbage floods the stream. */
  vouchesFor(sequence: number): boolean {
    if (!this.isProven || this.isDoubted) return false
    const place = this.#window.place(sequence)
    return place === 'ahead' || place === 'behind'
  }

  /** Judges a message and remembers its number, unless it is malformed or a repeat. */
  judge(arrival: Arrival): Verdict {
    const { sequence, arrivalMs } = arrival
    this.gapChange = 0
    this.isReordered = false
    const place = this.#window.place(sequence)
    if (place === 'seen') return 'duplicate'
    if (place === 'far' && !this.#isRealJump(sequence)) return 'malformed'
    const freshness = this.#freshness(arrival)
    if (freshness === 'malformed') return 'malformed'
    const wasMuted = freshness === 'fresh' && arrivalMs - this.#acceptedMs > MUTED_AT_MOST_MS
    if (place === 'old' && !wasMuted) return 'duplicate'
    if (place === 'far' || place === 'old') this.#startAgain()
    this.#accept(arrival, place === 'behind')
    if (freshness === 'stale') return 'stale'
    this.#acceptedMs = arrivalMs
    this.isDoubted = false
    return 'deliver'
  }

  #isRealJump(sequence: number): boolean {
    const jump = this.#jump
    const follows = jump !== undefined && sequence > jump.last && sequence - jump.last <= MAX_JUMP
    this.#jump = { last: sequence, count: follows ? jump.count + 1 : 1 }
    return this.#jump.count >= CONSISTENT_JUMPS
  }

  #freshness({ tMs, arrivalMs, maxAgeMs, mayBeOld }: Arrival): 'fresh' | 'stale' | 'malformed' {
    if (this.#baseline !== undefined && tMs !== undefined) {
      return this.#baseline.judge(arrivalMs - tMs, arrivalMs, maxAgeMs)
    }
    if (mayBeOld) return 'stale'
    if (tMs !== undefined) this.#baseline = new DelayBaseline(arrivalMs - tMs, arrivalMs)
    return 'fresh'
  }

  #startAgain(): void {
    this.#window = new ReplayWindow()
    this.#join = undefined
  }

  #accept({ sequence, join }: Arrival, isBehind: boolean): void {
    const isSameJoin = join === this.#join
    this.#messages++
    this.#jump = undefined
    if (isBehind) {
      this.isReordered = true
      if (isSameJoin && sequence > this.#joinedAt) this.gapChange = -1
    } else {
      if (isSameJoin) this.gapChange = sequence - this.#window.highest - 1
      else this.#joinedAt = sequence
      this.#join = join
    }
    this.#window.mark(sequence)
  }
}
