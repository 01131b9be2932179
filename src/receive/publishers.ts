import type { RivuletError } from '../errors/errors.ts'
import { errorOf, report } from '../errors/report.ts'
import type { Sid } from '../message/sid.ts'
import { clockStepMs } from '../state/clock-step.ts'
import type { HubState, StreamState } from '../state/stream-state.ts'
import { Absences } from './absences.ts'
import { type Arrival, maxAgeOf, Publisher, TRUSTED_S, type Verdict } from './publisher.ts'
import { RecencyList } from './recency-list.ts'

/** The eviction of a publisher with a delivery within this, in seconds, is counted and reported. */
const RECENT_S = 60

/** The time between sweeps of silent publishers, while any publisher is known. */
const SWEEP_MS = 60_000

/** The most publishers that are remembered. */
export interface PublisherBounds {
  readonly maxPublishersPerStream: number
  readonly maxPublishers: number
}

/** The publishers of one topic, bounded: unproven ones, which have sent hardly anything, are evicted first. */
export class Publishers {
  /** The joins of the topic, and the messages missed between them. */
  readonly absences = new Absences()
  /** The time at which the topic's stream has ended. */
  endedMs = 0
  /** The stream of the topic, while there is one. */
  state: StreamState | undefined
  /** The publisher that was found last, most likely the next one, too. */
  last: Publisher | undefined
  readonly #all: HubPublishers
  readonly #byOrigin = new Map<string, Publisher>()
  readonly #unproven = new RecencyList()
  readonly #proven = new RecencyList()
  #hasReported = false

  constructor(all: HubPublishers) {
    this.#all = all
  }

  get size(): number {
    return this.#byOrigin.size
  }

  get isClockWrong(): Arrival['isClockWrong'] {
    return this.#all.isClockWrong
  }

  get hasUnproven(): boolean {
    return this.#unproven.oldest !== undefined
  }

  /** The proven publisher that was silent longest. */
  get oldestProven(): Publisher | undefined {
    return this.#proven.oldest
  }

  /** Returns the publisher of an origin, if known. */
  find(origin: string): Publisher | undefined {
    return this.last?.origin === origin ? this.last : this.#byOrigin.get(origin)
  }

  /** Judges a message by the numbers and delays of its publisher. */
  judge(sid: Sid, tMs: number | undefined, arrival: Arrival): Verdict {
    const publisher = this.find(sid.origin) ?? this.#add(sid.origin, arrival.nowMs)
    this.last = publisher
    const list = this.#listOf(publisher)
    const verdict = publisher.judge(sid, tMs, arrival)
    if (verdict === 'deliver' || this.#listOf(publisher) !== list) this.#move(publisher, list)
    return verdict
  }

  /** Forgets publishers whose memory is void by now, and frees the bitmaps of idle ones. */
  forgetSilent(nowMs: number): void {
    const maxAgeS = this.state === undefined ? 0 : maxAgeOf(this.state) / 1_000
    const silentS = nowMs / 1_000 - TRUSTED_S - maxAgeS
    const idleS = nowMs / 1_000 - 1.01 * Math.max(RECENT_S, maxAgeS)
    const isSilence = this.absences.isSilence(1_000 * silentS)
    for (const list of [this.#unproven, this.#proven]) {
      while (isSilence && list.oldest !== undefined && list.oldest.deliveredS < silentS)
        this.#delete(list.oldest)
      for (let idle = list.oldest; idle !== undefined && idle.deliveredS < idleS; idle = idle.newer)
        idle.rest()
    }
  }

  forgetDelays(): void {
    for (const publisher of this.#byOrigin.values()) publisher.forgetDelays()
  }

  clear(): void {
    for (const publisher of this.#byOrigin.values()) this.#delete(publisher)
  }

  /** Evicts the unproven publisher that was silent longest, else such a proven one; `option` is the limit. */
  evictOne(nowMs: number, option: keyof PublisherBounds): void {
    const evicted = this.#unproven.oldest ?? this.#proven.oldest
    if (evicted === undefined) return
    this.#delete(evicted)
    if (nowMs / 1_000 - evicted.deliveredS > RECENT_S) return
    const { state } = this
    if (state === undefined) return
    state.counters.add('evictedPublishers', 1)
    if (this.#hasReported) return
    this.#hasReported = true
    // The rest of the frame goes first.
    queueMicrotask(() => report(state, evictionError(state, option, this.#all.bounds[option])))
  }

  #add(origin: string, nowMs: number): Publisher {
    if (this.#byOrigin.size >= this.#all.bounds.maxPublishersPerStream) {
      this.evictOne(nowMs, 'maxPublishersPerStream')
    } else this.#all.makePlace(nowMs)
    const publisher = new Publisher(flat(origin))
    this.#byOrigin.set(publisher.origin, publisher)
    this.#unproven.add(publisher)
    this.#all.added(this)
    return publisher
  }

  #delete(publisher: Publisher): void {
    if (this.last === publisher) this.last = undefined
    this.#byOrigin.delete(publisher.origin)
    this.#listOf(publisher).delete(publisher)
    this.#all.deleted(this)
  }

  /** Makes a publisher the newest of its list after a message, which may have proven it: its list may change. */
  #move(publisher: Publisher, from: RecencyList): void {
    const to = this.#listOf(publisher)
    if (to === from && to.newest === publisher) return
    from.delete(publisher)
    to.add(publisher)
    if (to !== from) this.#all.changed(this)
  }

  #listOf(publisher: Publisher): RecencyList {
    return publisher.isProven ? this.#proven : this.#unproven
  }
}

/** Bounds the publishers of all topics of one hub together. */
export class HubPublishers {
  readonly bounds: PublisherBounds
  readonly #hub: HubState
  readonly #topics = new Set<Publishers>()
  /** Topics with unproven publishers, in turn. */
  readonly #withUnproven = new Set<Publishers>()
  #size = 0
  /** The offset from the monotonic clock to the date, at the last check. */
  #dateOffsetMs = 0
  #cancelSweep: (() => void) | undefined

  constructor(hub: HubState, bounds: PublisherBounds) {
    this.#hub = hub
    this.bounds = bounds
  }

  /** Cancels the timer of the next sweep. */
  close(): void {
    this.#cancelSweep?.()
    this.#cancelSweep = undefined
  }

  /**
   * Returns whether the monotonic clock of this process and its date have come apart since the last check. All delays
   * are forgotten then: every message would seem late, or early.
   */
  readonly isClockWrong = (maxAgeMs: number): boolean => {
    const offsetMs = this.#hub.clock.dateOffsetMs()
    const stepMs = Math.abs(offsetMs - this.#dateOffsetMs)
    this.#dateOffsetMs = offsetMs
    if (stepMs <= clockStepMs(maxAgeMs)) return false
    for (const topic of this.#topics) topic.forgetDelays()
    return true
  }

  /** Evicts a publisher, unless there is a place for one more. */
  makePlace(nowMs: number): void {
    if (this.#size < this.bounds.maxPublishers) return
    const [next] = this.#withUnproven
    const topic = next ?? this.#longestSilent()
    topic?.evictOne(nowMs, 'maxPublishers')
    if (next === undefined || !this.#withUnproven.delete(next)) return
    this.#withUnproven.add(next) // the next time it is another topic's turn
  }

  added(topic: Publishers): void {
    this.#size++
    if (this.#cancelSweep === undefined) {
      this.#dateOffsetMs = this.#hub.clock.dateOffsetMs()
      this.#sweepLater()
    }
    this.#topics.add(topic)
    this.#withUnproven.add(topic)
  }

  deleted(topic: Publishers): void {
    this.#size--
    if (topic.size === 0) this.#topics.delete(topic)
    this.changed(topic)
  }

  /** Called when a topic may have no unproven publishers any more. */
  changed(topic: Publishers): void {
    if (!topic.hasUnproven) this.#withUnproven.delete(topic)
  }

  #sweepLater(): void {
    const { environment, clock } = this.#hub
    const sweep = () => {
      this.#cancelSweep = undefined
      this.isClockWrong(Infinity)
      const nowMs = clock.nowMs()
      for (const topic of this.#topics) topic.forgetSilent(nowMs)
      if (this.#size > 0) this.#sweepLater()
    }
    this.#cancelSweep = environment.setTimer(sweep, SWEEP_MS, false)
  }

  #longestSilent(): Publishers | undefined {
    let longest: Publishers | undefined
    let leastS = Infinity
    for (const topic of this.#topics) {
      const { deliveredS = Infinity } = topic.oldestProven ?? {}
      if (deliveredS >= leastS) continue
      leastS = deliveredS
      longest = topic
    }
    return longest
  }
}

/** Copies an origin. One read from a frame is a concatenation, which takes twice the memory. */
function flat(origin: string): string {
  return String.fromCharCode(...Array.from(origin, (digit) => digit.charCodeAt(0)))
}

function evictionError(state: StreamState, option: keyof PublisherBounds, most: number): RivuletError {
  const message = `More than ${most} publishers published within a minute, so the one that was silent longest was evicted: its repeats, gaps and late messages are not detected. Raise ${option} of the hub. The ledger counts the next ones as evictedPublishers.`
  return errorOf(state, 'TOO_MANY_PUBLISHERS', message)
}
