import type { Sid } from '../model/message.ts'
import { type Arrival, PROVEN_MESSAGES, Publisher, type Verdict } from './publisher.ts'

/** How many publishers one topic remembers, and all topics of a hub together. */
const MAX_PER_TOPIC = 256
const MAX_PER_HUB = 65_536
/** From this many on, who speaks moves to the end of the line for eviction; below it that would be wasted work. */
const MANY = MAX_PER_TOPIC / 2

/** The publishers that one topic has heard, bounded: who floods it with invented ones evicts those first. */
export class Publishers {
  /** Counts the joins of the topic: gaps in the numbers are counted within one. */
  join = 0
  /** Since when the topic has no stream, once its stream has ended. */
  endedMs = 0
  /** The publisher that was asked for last, most likely the next one too. */
  last: Publisher | undefined
  readonly #all: HubPublishers
  readonly #byOrigin = new Map<string, Publisher>()

  constructor(all: HubPublishers) {
    this.#all = all
  }

  get size(): number {
    return this.#byOrigin.size
  }

  /** Returns the publisher of an origin that is known. */
  find(origin: string): Publisher | undefined {
    return this.last?.origin === origin ? this.last : this.#byOrigin.get(origin)
  }

  /** Judges a message by what is known of its publisher. */
  judge(sid: Sid, tMs: number | undefined, arrival: Arrival): Verdict {
    const publisher = this.#of(sid.origin)
    const verdict = publisher.judge(sid, tMs, arrival)
    if (publisher.messages === PROVEN_MESSAGES) this.#all.prove(publisher, this)
    return verdict
  }

  /** Returns the publisher of an origin, a new one if need be. The last one asked for is evicted last. */
  #of(origin: string): Publisher {
    if (this.last?.origin === origin) return this.last
    let publisher = this.#byOrigin.get(origin)
    if (publisher === undefined) {
      if (this.#byOrigin.size >= MAX_PER_TOPIC) this.#evictOne()
      publisher = new Publisher(origin)
      this.#all.add(publisher, this)
    } else if (this.#byOrigin.size >= MANY) this.#byOrigin.delete(origin)
    this.#byOrigin.set(origin, publisher)
    this.last = publisher
    return publisher
  }

  delete(publisher: Publisher): void {
    if (this.last === publisher) this.last = undefined
    this.#byOrigin.delete(publisher.origin)
    this.#all.delete(publisher)
  }

  clear(): void {
    for (const publisher of this.#byOrigin.values()) this.delete(publisher)
  }

  #evictOne(): void {
    const [oldest] = this.#byOrigin.values()
    for (const publisher of this.#byOrigin.values()) {
      if (!publisher.isProven) return this.delete(publisher)
    }
    this.delete(oldest as Publisher)
  }
}

/** Bounds the publishers of all topics of one hub: proven ones go after all others, the oldest first. */
export class HubPublishers {
  readonly #others = new Map<Publisher, Publishers>()
  readonly #proven = new Map<Publisher, Publishers>()

  add(publisher: Publisher, topic: Publishers): void {
    if (this.#others.size + this.#proven.size >= MAX_PER_HUB) this.#evictOne()
    this.#others.set(publisher, topic)
  }

  prove(publisher: Publisher, topic: Publishers): void {
    if (this.#others.delete(publisher)) this.#proven.set(publisher, topic)
  }

  delete(publisher: Publisher): void {
    this.#others.delete(publisher)
    this.#proven.delete(publisher)
  }

  #evictOne(): void {
    const oldestFirst = this.#others.size > 0 ? this.#others : this.#proven
    for (const [publisher, topic] of oldestFirst) return topic.delete(publisher)
  }
}
