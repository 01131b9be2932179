import type { Named } from './wire.ts'

/** A number so far behind the highest may be taken for a repeat. */
const WINDOW = 1_024
/** A number so far beyond the highest is not believed at once. */
const MOST_JUMP = 65_536
/** For so long the smallest delay counts, at least. */
const BASE_MS = 60_000
/** After so long without a message the library may take numbers again that it has seen, or know the last one only. */
const QUIET_MS = 50_000
/** After so long it trusts no delay of it any more, and some time later it has forgotten the publisher. */
const TRUSTED_MS = 118_000

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
  lastDeliveredMs = Infinity
  /** True ages of what was delivered, the oldest first; none that a later and smaller one outlives. */
  #ages: { readonly atMs: number; readonly ageMs: number }[] = []
  /** Whether the library may have forgotten it, since it was silent for long. */
  mayBeForgotten = false
  /** Of the numbers below this the library may know nothing but that: it was silent for a while when this was the highest. */
  #restedAt = 0
  /** Whether the library may still know its delays, of which nothing is known here. */
  mayBeKnown = false
  /** Since when everything that was handed is late. */
  lateSinceMs: number | undefined

  /** Notes what is handed; `isTrue`: its publisher sent it. Tells whether it may be taken for a repeat. */
  hand({ sequence }: Named, isTrue: boolean, atMs: number): boolean {
    const { highest, handed } = this
    const isBehind = highest - sequence >= WINDOW
    const silentMs = atMs - this.lastDeliveredMs
    if (this.lastDelivered === 0 || silentMs > QUIET_MS) this.#restedAt = highest
    const isRepeat = handed.has(sequence) || isBehind || sequence < this.#restedAt
    if (silentMs > TRUSTED_MS) this.mayBeForgotten = true
    const isKnown = this.lastDelivered > 0 && !this.mayBeForgotten
    const isTooFar = isKnown && sequence - highest > MOST_JUMP
    this.tooFar[isTooFar ? 'add' : 'delete'](sequence)
    if (isTrue) this.highestTrue = Math.max(this.highestTrue, sequence)
    else this.isForged = true
    const isQuiet = silentMs > QUIET_MS
    this.isOverrun ||= this.isForged && (isQuiet || isBehind || sequence - this.highestTrue >= WINDOW)
    handed.add(sequence)
    this.highest = Math.max(highest, sequence)
    return isRepeat
  }

  /** The library may have forgotten it; or it has not, and takes for a repeat what was handed before. */
  forget(isSure: boolean): void {
    if (isSure) this.isForged = this.isOverrun = this.mayBeForgotten = false
    this.lastDelivered = 0
    this.mayBeKnown = !isSure
    this.#ages = []
    this.lateSinceMs = undefined
  }

  /** A message was delivered: its age counts for the smallest delay from now on. */
  accept(atMs: number, ageMs: number): void {
    this.mayBeKnown = false
    const ages = this.#ages
    while (ages.length > 0 && (ages.at(-1)?.ageMs as number) >= ageMs) ages.pop()
    ages.push({ atMs, ageMs })
  }

  /** What is known of its delays may be of no use any more. */
  doubt(): void {
    this.#ages = []
  }

  /** The most that the smallest delay can be which the library goes by. */
  baseMs(nowMs: number): number | undefined {
    const ages = this.#ages
    const lastMs = ages.at(-1)?.atMs ?? -Infinity
    if (nowMs - lastMs > TRUSTED_MS) {
      this.mayBeKnown ||= ages.length > 0
      this.#ages = []
      return undefined
    }
    const isOver = (atMs: number) => atMs !== lastMs && nowMs - atMs > BASE_MS
    while (ages[0] !== undefined && isOver(ages[0].atMs)) ages.shift()
    return ages[0]?.ageMs
  }
}
