import type { Link } from './link.ts'
import { MissedCount } from './missed-count.ts'
import type { HandedFrame, Network, Sent } from './network.ts'
import type { Named } from './wire.ts'

/** A number so far behind the highest may be taken for a repeat. */
const WINDOW = 1_024
/** What the library remembers of an ended topic may be gone after so long. */
const KEPT_MS = 55_000
const FORGOTTEN_MS = 65_000
/** For so long the smallest delay counts, at least. */
const BASE_MS = 60_000
/** What latencies and whole milliseconds may add. */
const SLACK_MS = 150
/** A barrier that has had no answer for so long is overdue: what arrives may be old. */
const OVERDUE_MS = 2_000
/** A barrier that takes longer shows no clear link. */
const PROMPT_MS = 1_000

/** What one publisher sent that was handed to a hub. */
class HeardPublisher {
  readonly handed = new Set<number>()
  highest = 0
  lastDelivered = 0
  /** True ages of what was delivered, the oldest first. */
  accepted: { atMs: number; ageMs: number }[] = []
  /** Since when everything that was handed is late. */
  lateSinceMs: number | undefined

  /** The library may have forgotten it; or it has not, and takes for a repeat what was handed before. */
  forget(): void {
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

/** A frame as it is handed over, and when. */
export interface Handing extends HandedFrame {
  readonly atMs: number
}

/** What one hub was truly handed on one topic, and so may deliver. */
export class Heard {
  /** Messages of other hubs that were delivered. */
  readonly delivered = new Set<string>()
  /** Removals that were handed. */
  readonly removals = new Set<string>()
  readonly #network: Network
  readonly #link: Link
  readonly #publishers = new Map<string, HeardPublisher>()
  readonly #missed = new MissedCount()
  #missedBefore = 0
  /** The link's join of the last frame, and an object for each time that it is joined and somebody listens. */
  #join: object | undefined
  #period = {}
  #endedMs: number | undefined
  /** Whether the library may have forgotten, or not: then nobody knows what it has to count. */
  isUnsure = false

  constructor(network: Network, link: Link) {
    this.#network = network
    this.#link = link
  }

  /** Numbers that were missed since somebody listened to the stream first. */
  get missed(): number {
    return this.#missed.missed - this.#missedBefore
  }

  /** Nobody listens any more: what is not handed until somebody does was not missed. */
  pause(): void {
    this.#period = {}
  }

  /** The stream has ended: the library forgets in a while. */
  end(): void {
    this.#link.machine.nowMs() // the hub reads its clock in that moment, too
    this.#endedMs = this.#link.machine.elapsedMs
  }

  /** A stream is there again. */
  begin(): void {
    this.#missedBefore = this.#missed.missed
    this.#link.machine.nowMs()
    const forMs = this.#link.machine.elapsedMs - (this.#endedMs ?? Number.POSITIVE_INFINITY)
    this.#endedMs = undefined
    if (forMs <= KEPT_MS) return
    this.isUnsure ||= forMs < FORGOTTEN_MS
    this.#missed.forget()
    this.delivered.clear()
    for (const publisher of this.#publishers.values()) publisher.forget()
  }

  /** Notes what is handed over, and returns how many messages of it may be taken for repeats. */
  hand({ content, join }: Handing): number {
    if (join !== this.#join) this.pause()
    this.#join = join
    let repeats = 0
    for (const named of content.named) {
      const { origin, sequence, sid } = named
      if (this.#network.truthOf(sid)?.link !== this.#link) this.#missed.hand(named, this.#period)
      const publisher = this.#of(origin)
      if (publisher.handed.has(sequence) || publisher.highest - sequence >= WINDOW) repeats++
      publisher.handed.add(sequence)
      publisher.highest = Math.max(publisher.highest, sequence)
      if (content.isRemoval) this.removals.add(sid)
    }
    return repeats
  }

  /** What was handed has been taken or dropped: notes what is late. */
  handed(handing: Handing, maxAgeMs: number): void {
    for (const { origin, sid } of handing.content.named) {
      const sent = this.#network.truthOf(sid)
      const publisher = this.#of(origin)
      const baseMs = publisher.baseMs(handing.atMs)
      if (sent === undefined || baseMs === undefined) continue
      if (handing.atMs - sent.sentMs - baseMs > 0.8 * maxAgeMs) publisher.lateSinceMs ??= handing.atMs
    }
  }

  /** Whether numbers of that publisher have only risen so far. */
  isNext({ origin, sequence }: Named): boolean {
    const publisher = this.#of(origin)
    const isNext = sequence > publisher.lastDelivered
    publisher.lastDelivered = Math.max(publisher.lastDelivered, sequence)
    return isNext
  }

  /** Tells why a message must not have been delivered: it is stale. */
  whyStale({ origin }: Named, sent: Sent, handing: Handing, maxAgeMs: number): string | undefined {
    const publisher = this.#of(origin)
    const ageMs = handing.atMs - sent.sentMs
    const baseMs = publisher.baseMs(handing.atMs)
    const why = this.#judge(publisher, sent, handing, baseMs, maxAgeMs)
    const isLate = baseMs !== undefined && ageMs - baseMs > maxAgeMs + SLACK_MS
    if (isLate) publisher.accepted = [] // a stepped clock is as likely
    if (baseMs === undefined || isLate || ageMs - baseMs <= 0.8 * maxAgeMs) publisher.lateSinceMs = undefined
    publisher.accepted.push({ atMs: handing.atMs, ageMs })
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
    if (baseMs === undefined) {
      const openForMs = this.#link.openBarrierForMs * this.#link.machine.rate
      if (openForMs <= OVERDUE_MS + SLACK_MS) return undefined
      return `the first of its publisher, while a barrier has had no answer for ${openForMs} ms`
    }
    if (ageMs - baseMs <= maxAgeMs + SLACK_MS) return undefined
    const lateForMs = atMs - (publisher.lateSinceMs ?? atMs)
    const isSteady = lateForMs >= 0.8 * maxAgeMs && ageMs - heldMs - baseMs > 0.8 * maxAgeMs - PROMPT_MS
    if (isSteady) return undefined
    return `${ageMs} ms old, ${baseMs} ms is usual; it waited ${heldMs} ms on the own link; late for ${lateForMs} ms`
  }

  #of(origin: string): HeardPublisher {
    const known = this.#publishers.get(origin) ?? new HeardPublisher()
    this.#publishers.set(origin, known)
    return known
  }
}
