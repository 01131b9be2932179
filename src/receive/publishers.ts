import { clockStepMs } from '../model/clock-step.ts'
import type { RivuletError } from '../model/errors.ts'
import type { Sid } from '../model/message.ts'
import { errorOf, report } from '../model/report.ts'
import type { HubState, StreamState } from '../model/stream-state.ts'
import { type Arrival, maxAgeOf, Publisher, TRUSTED_S, type Verdict } from './publisher.ts'
import { RecencyList } from './recency-list.ts'

/** A publisher that was delivered within this, in seconds, is missed when it is evicted: that is counted and reported. */
const RECENT_S = 60

/** How often those are forgotten that were silent for long, while any publisher is known. */
const SWEEP_MS = 60_000

/** How many publishers may be known. */
export interface PublisherBounds {
  readonly maxPublishersPerStream: number
  readonly maxPublishers: number
}

/** The publishers that one topic has heard, bounded: strangers, who have sent hardly anything, are evicted first. */
export class Publishers {
  /** Counts the joins of the topic: gaps in the numbers are counted within one. */
  join = 0
  /** Since when the topic has no stream, once its stream has ended. */
  endedMs = 0
  /** The stream of the topic, while there is one. */
  state: StreamState | undefined
  /** The publisher that was asked for last, most likely the next one too. */
  last: Publisher | undefined
  readonly #all: HubPublishers
  readonly #byOrigin = new Map<string, Publisher>()
  readonly #strangers = new RecencyList()
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

  get hasStrangers(): boolean {
    return this.#strangers.oldest !== undefined
  }

  /** The proven publisher that was silent longest. */
  get oldestProven(): Publisher | undefined {
    return this.#proven.oldest
  }

  /** Returns the publisher of an origin that is known. */
  find(origin: string): Publisher | undefined {
    return this.last?.origin === origin ? this.last : this.#byOrigin.get(origin)
  }

  /** Judges a message by what is known of its publisher. */
  judge(sid: Sid, tMs: number | undefined, arrival: Arrival): Verdict {
    const publisher = this.find(sid.origin) ?? this.#add(sid.origin, arrival.nowMs)
    this.last = publisher
    const list = this.#listOf(publisher)
    const verdict = publisher.judge(sid, tMs, arrival)
    if (verdict === 'deliver' || this.#listOf(publisher) !== list) this.#move(publisher, list)
    return verdict
  }

  /** Forgets publishers of which nothing is trusted any more, and frees what only busier ones need. */
  forgetSilent(nowMs: number): void {
    const maxAgeS = this.state === undefined ? 0 : maxAgeOf(this.state) / 1_000
    const silentS = nowMs / 1_000 - TRUSTED_S - maxAgeS
    const quietS = nowMs / 1_000 - 1.01 * Math.max(RECENT_S, maxAgeS)
    for (const list of [this.#strangers, this.#proven]) {
      while (list.oldest !== undefined && list.oldest.heardS < silentS) this.#delete(list.oldest)
      for (let quiet = list.oldest; quiet !== undefined && quiet.heardS < quietS; quiet = quiet.newer)
        quiet.rest()
    }
  }

  forgetDelays(): void {
    for (const publisher of this.#byOrigin.values()) publisher.forgetDelays()
  }

  clear(): void {
    for (const publisher of this.#byOrigin.values()) this.#delete(publisher)
  }

  /** Removes the stranger that was silent longest, else such a proven publisher, since `option` allows no more. */
  evictOne(nowMs: number, option: keyof PublisherBounds): void {
    const evicted = this.#strangers.oldest ?? this.#proven.oldest
    if (evicted === undefined) return
    this.#delete(evicted)
    if (nowMs / 1_000 - evicted.heardS > RECENT_S) return
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
    this.#strangers.add(publisher)
    this.#all.added(this)
    return publisher
  }

  #delete(publisher: Publisher): void {
    if (this.last === publisher) this.last = undefined
    this.#byOrigin.delete(publisher.origin)
    this.#listOf(publisher).delete(publisher)
    this.#all.deleted(this)
  }

  /** Makes a publisher that was heard the newest of its list, which may be another one since. */
  #move(publisher: Publisher, from: RecencyList): void {
    const to = this.#listOf(publisher)
    if (to === from && to.newest === publisher) return
    from.delete(publisher)
    to.add(publisher)
    if (to !== from) this.#all.changed(this)
  }

  #listOf(publisher: Publisher): RecencyList {
    return publisher.isProven ? this.#proven : this.#strangers
  }
}

/** Bounds the publishers of all topics of one hub together. */
export class HubPublishers {
  readonly bounds: PublisherBounds
  readonly #hub: HubState
  readonly #topics = new Set<Publishers>()
  /** Topics that know strangers, in turn. */
  readonly #withStrangers = new Set<Publishers>()
  #size = 0
  /** From the monotonic clock to the date, at the last look. */
  #dateOffsetMs = 0
  #cancelSweep: (() => void) | undefined

  constructor(hub: HubState, bounds: PublisherBounds) {
    this.#hub = hub
    this.bounds = bounds
  }

  /** Ends the wait for the next sweep. */
  close(): void {
    this.#cancelSweep?.()
    this.#cancelSweep = undefined
  }

  /**
   * Tells whether the monotonic clock of this process and its date have come apart since the last look. All delays are
   * forgotten then: everything would seem late, or early.
   */
  readonly isClockWrong = (maxAgeMs: number): boolean => {
    const offsetMs = this.#hub.clock.dateOffsetMs()
    const stepMs = Math.abs(offsetMs - this.#dateOffsetMs)
    this.#dateOffsetMs = offsetMs
    if (stepMs <= clockStepMs(maxAgeMs)) return false
    for (const topic of this.#topics) topic.forgetDelays()
    return true
  }

  /** Makes a place for one more publisher, if there is none. */
  makePlace(nowMs: number): void {
    if (this.#size < this.bounds.maxPublishers) return
    const [next] = this.#withStrangers
    const topic = next ?? this.#longestSilent()
    topic?.evictOne(nowMs, 'maxPublishers')
    if (next === undefined || !this.#withStrangers.delete(next)) return
    this.#withStrangers.add(next) // the next time it is another topic's turn
  }

  added(topic: Publishers): void {
    this.#size++
    if (this.#cancelSweep === undefined) {
      this.#dateOffsetMs = this.#hub.clock.dateOffsetMs()
      this.#sweepLater()
    }
    this.#topics.add(topic)
    this.#withStrangers.add(topic)
  }

  deleted(topic: Publishers): void {
    this.#size--
    if (topic.size === 0) this.#topics.delete(topic)
    this.changed(topic)
  }

  /** A topic may have no strangers any more. */
  changed(topic: Publishers): void {
    if (!topic.hasStrangers) this.#withStrangers.delete(topic)
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
      const { heardS = Infinity } = topic.oldestProven ?? {}
      if (heardS >= leastS) continue
      leastS = heardS
      longest = topic
    }
    return longest
  }
}

/** Copies an origin. One that was read from a frame is made of parts, which take twice the memory while it is known. */
function flat(origin: string): string {
  return String.fromCharCode(...Array.from(origin, (digit) => digit.charCodeAt(0)))
}

function evictionError(state: StreamState, option: keyof PublisherBounds, most: number): RivuletError {
  const message = `More than ${most} publishers were heard within a minute, so the one that was silent longest is forgotten: its repeats, gaps and late messages go unnoticed. Raise ${option} of the hub. The ledger counts the next ones as evictedPublishers.`
  return errorOf(state, 'TOO_MANY_PUBLISHERS', message)
}
