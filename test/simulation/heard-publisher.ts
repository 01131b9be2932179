import type { Named } from './wire.ts'

/** A number so far behind the highest may be taken for a repeat. */
const WINDOW = 1_024
/** A number so far beyond the highest is not believed at once. */
const MOST_JUMP = 65_536
/** For so long the smallest delay counts, at least. */
const BASE_MS = 60_000
/** After so long without a message the library may take numbers again that it has seen. */
const QUIET_MS = 50_000

/** What one publisher sent that was handed to a hub. */
export class HeardPublisher {
  readonly handed = new Set<number>()
  highest = 0
  /** The highest number that it gave itself, of what was handed. */
  highestTrue = 0
  /** Whether somebody forged numbers of it, and so what the library knows of its delays. */
  isForged = false
  /** Whether the library's window of its numbers may have moved on, so that it has forgotten some. */
  isOverrun = false
  /** Numbers that came first so far beyond the highest that they are no publisher's. */
  readonly tooFar = new Set<number>()
  lastDelivered = 0
  lastDeliveredMs = Number.POSITIVE_INFINITY
  /** True ages of what was delivered, the oldest first. */
  accepted: { atMs: number; ageMs: number }[] = []
  /** Since when everything that was handed is late. */
  lateSinceMs: number | undefined

  /** Notes what is handed; `isTrue`: its publisher sent it. Tells whether it may be taken for a repeat. */
  hand({ sequence }: Named, isTrue: boolean, atMs: number): boolean {
    const { highest, handed } = this
    const isBehind = highest - sequence >= WINDOW
    const isRepeat = handed.has(sequence) || isBehind
    const isTooFar = this.lastDelivered > 0 && sequence - highest > MOST_JUMP
    this.tooFar[isTooFar ? 'add' : 'delete'](sequence)
    if (isTrue) this.highestTrue = Math.max(this.highestTrue, sequence)
    else this.isForged = true
    const isQuiet = atMs - this.lastDeliveredMs > QUIET_MS
    this.isOverrun ||= this.isForged && (isQuiet || isBehind || sequence - this.highestTrue >= WINDOW)
    handed.add(sequence)
    this.highest = Math.max(highest, sequence)
    return isRepeat
  }

  /** The library may have forgotten it; or it has not, and takes for a repeat what was handed before. */
  forget(isSure: boolean): void {
    if (isSure) this.isForged = this.isOverrun = false
    this.lastDelivered = 0
    this.accepted = []
    this.lateSinceMs = undefined
  }

  /** The most that the smallest delay can be which the library goes by. */
  baseMs(nowMs: number): number | undefined {
    const last = this.accepted.at(-1)
    if (last === undefined) return undefined
    this.accepted = this.accepted.filter(({ atMs }) => atMs === last.atMs || nowMs - atMs <= BASE_MS)
    return Math.min(...this.accepted.map(({ ageMs }) => ageMs))
  }
}
