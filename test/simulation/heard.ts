import { HeardPublisher } from './heard-publisher.ts'
import type { Link } from './link.ts'
import { MissedCount, type Period } from './missed-count.ts'
import type { HandedFrame, Network, Sent } from './network.ts'
import type { Named } from './wire.ts'

/** What the library remembers of an ended topic may be gone after so long. */
const KEPT_MS = 55_000
const FORGOTTEN_MS = 65_000
/** What latencies and whole milliseconds may add. */
const SLACK_MS = 150
/** A barrier that has had no answer for so long is overdue: what arrives may be old. */
const OVERDUE_MS = 2_000
/** A barrier that takes longer shows no clear link. */
const PROMPT_MS = 1_000
/** A receiver that slept looks at its clocks after so long at the most, and forgets all delays. */
const FORGETS_MS = 130_000
/** A publisher that was late for so long is believed when a barrier was prompt since. The link may have frozen after that. */
const BELIEVED_MS = 59_900

/** A frame as it is handed over, and when. */
export interface Handing extends HandedFrame {
  readonly atMs: number
}

/** What one hub was truly handed on one topic, and so may deliver. */
export class Heard {
  /** Messages of other hubs that were delivered. */
  readonly delivered = new Set<string>()
  readonly #network: Network
  readonly #link: Link
  readonly #publishers = new Map<string, HeardPublisher>()
  readonly #missed = new MissedCount()
  #before = { missed: 0, missedAway: 0, noticedAway: 0 }
  /** The link's join of the last frame, and an object for each time that it is joined and somebody listens. */
  #join: object | undefined
  #period: Period = { era: {} }
  /** The period in which the frame was handed that is being taken. */
  #handedIn = this.#period
  #endedMs: number | undefined
  /** Whether the library may have forgotten, or not: then nobody knows what it has to count. */
  isUnsure = false

  constructor(network: Network, link: Link) {
    this.#network = network
    this.#link = link
  }

  /** Numbers that were missed since somebody listened to the stream first: during joins. */
  get missed(): number {
    return this.#missed.missed - this.#before.missed
  }

  /** The same while a join was interrupted, less those that came late. */
  get missedAway(): number {
    return this.#missed.missedAway - this.#before.missedAway
  }

  /** The same when it was noticed. */
  get noticedAway(): number {
    return this.#missed.noticedAway - this.#before.noticedAway
  }

  /** Nobody listens any more: what is not handed until somebody does was not missed. */
  pause(): void {
    this.#period = { era: {} }
  }

  /** The stream has ended: the library forgets in a while. */
  end(): void {
    this.#link.machine.nowMs() // the hub reads its clock in that moment, too
    this.#endedMs = this.#link.machine.elapsedMs
  }

  /** A stream is there again. */
  begin(): void {
    const { missed, missedAway, noticedAway } = this.#missed
    this.#before = { missed, missedAway, noticedAway }
    this.#link.machine.nowMs()
    const forMs = this.#link.machine.elapsedMs - (this.#endedMs ?? Infinity)
    this.#endedMs = undefined
    if (forMs <= KEPT_MS) return
    this.isUnsure ||= forMs < FORGOTTEN_MS
    this.#missed.forget()
    this.delivered.clear()
    for (const publisher of this.#publishers.values()) publisher.forget(forMs >= FORGOTTEN_MS)
  }

  /** Notes what is handed over, and returns how many messages of it may be taken for repeats. */
  hand({ content, join, atMs }: Handing): number {
    const isClockWrong = this.#link.machine.isMeddledWith
    if (join !== this.#join) this.#period = { era: this.#period.era }
    this.#join = join
    this.#handedIn = this.#period
    let repeats = 0
    for (const named of content.named) {
      const { origin } = named
      const real = this.#network.publishing(origin)
      const isTrue = real === undefined || this.#network.truthOf(named) !== undefined
      if (this.#of(origin).hand(named, isTrue, isClockWrong ? Infinity : atMs)) repeats++
    }
    return repeats
  }

  /** What was handed has been taken or dropped, `last` being delivered last: notes what is late or was missed. */
  handed(handing: Handing, last: Named | undefined, maxAgeMs: number): void {
    const { named, isRemoval } = handing.content
    // Once nobody listens the library looks at no message any more.
    const isAll = this.#handedIn === this.#period || isRemoval || last === undefined
    for (const one of isAll ? named : named.slice(0, named.indexOf(last) + 1)) {
      const isOwn = this.#network.publishing(one.origin)?.link === this.#link
      if (isOwn) continue
      const before = this.#missed.sum
      this.#missed.hand(one, this.#handedIn)
      this.isUnsure ||= this.#missed.sum !== before && this.#of(one.origin).mayBeForgotten
    }
    for (const named of handing.content.named) {
      const sent = this.#network.truthOf(named)
      const publisher = this.#of(named.origin)
      const baseMs = publisher.baseMs(handing.atMs)
      if (sent === undefined || baseMs === undefined) continue
      if (handing.atMs - sent.sentMs - baseMs > 0.8 * maxAgeMs) publisher.lateSinceMs ??= handing.atMs
    }
  }

  /** A message is delivered: tells whether numbers of its publisher have only risen so far. */
  isNext({ origin, sequence }: Named, atMs: number): boolean {
    const publisher = this.#of(origin)
    const isNext = sequence > publisher.lastDelivered
    publisher.lastDelivered = Math.max(publisher.lastDelivered, sequence)
    publisher.lastDeliveredMs = atMs
    return isNext
  }

  /** Whether the library may have forgotten that a message was delivered: numbers were forged, or its publisher was silent. */
  mayComeAgain({ origin }: Named): boolean {
    const { isOverrun, mayBeForgotten } = this.#of(origin)
    return isOverrun || mayBeForgotten
  }

  /** Whether a number lies too far beyond those before it to be believed at once. */
  isTooFar({ origin, sequence }: Named): boolean {
    return this.#of(origin).tooFar.has(sequence)
  }

  /** Whether what the library knows of the delays of a publisher is true: nobody forges in its name. */
  isForged({ origin }: Named): boolean {
    return this.#of(origin).isForged
  }

  /** Tells why a message must not have been delivered: it is stale. */
  whyStale({ origin }: Named, sent: Sent, handing: Handing, maxAgeMs: number): string | undefined {
    const publisher = this.#of(origin)
    if (publisher.isForged) return undefined // with forged times nobody knows what is late
    const ageMs = handing.atMs - sent.sentMs
    const baseMs = publisher.baseMs(handing.atMs)
    const why = this.#judge(publisher, sent, handing, baseMs, maxAgeMs)
    const isLate = baseMs !== undefined && ageMs - baseMs > maxAgeMs + SLACK_MS
    if (isLate) publisher.doubt() // a stepped clock is as likely
    if (baseMs === undefined || isLate || ageMs - baseMs <= 0.8 * maxAgeMs) publisher.lateSinceMs = undefined
    publisher.accept(handing.atMs, ageMs)
    return why
  }

  #judge(
    publisher: HeardPublisher,
    sent: Sent,
    { atMs, heldMs }: Handing,
    baseMs: number | undefined,
    maxAgeMs: number,
  ): string | undefined {
    const ageMs = atMs - sent.sentMs
    if (this.#link.machine.isMeddledWith || sent.link.machine.isMeddledWith) return undefined
    // A receiver that slept can't tell how late it was for what, and then begins to learn anew.
    if (Math.min(atMs - FORGETS_MS, sent.sentMs) < this.#link.machine.lastWakeMs) return undefined
    if (baseMs === undefined) {
      if (publisher.mayBeKnown) return undefined
      const openForMs = this.#link.openBarrierForMs * this.#link.machine.rate
      if (openForMs <= OVERDUE_MS + SLACK_MS) return undefined
      return `the first of its publisher, while a barrier has had no answer for ${openForMs} ms`
    }
    if (ageMs - baseMs <= maxAgeMs + SLACK_MS) return undefined
    const lateForMs = atMs - (publisher.lateSinceMs ?? atMs)
    const isSteady = lateForMs >= 0.8 * maxAgeMs && ageMs - heldMs - baseMs > 0.8 * maxAgeMs - PROMPT_MS
    if (isSteady || lateForMs >= BELIEVED_MS) return undefined
    return `${ageMs} ms old, ${baseMs} ms is usual; it waited ${heldMs} ms on the own link; late for ${lateForMs} ms`
  }

  #of(origin: string): HeardPublisher {
    const known = this.#publishers.get(origin) ?? new HeardPublisher()
    this.#publishers.set(origin, known)
    return known
  }
}
