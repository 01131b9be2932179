import type { IClientSubscribeOptions } from 'mqtt'
import type { Topic, TransportHost } from 'rivulet'
import { failed, reasonOf } from './refusal.ts'

// `nl`: no own frames. `rap` and `rh`: retained messages are marked as such, and not sent on subscribing.
const OPTIONS = { qos: 0, nl: true, rap: true, rh: 2 } as const

/**
 * Subscription identifiers of joins and of the watch. A broker sends a frame that matches both as one copy with two
 * identifiers or as two copies with one each (MQTT 5, 3.3.4). Without identifiers the copies cannot be distinguished.
 */
export const BY = { join: 1, watch: 2 } as const

/** A join, with its topic, or the watch. */
export interface Subscription {
  readonly by: number
  readonly topic?: Topic
}

/** Returns the options of a SUBSCRIBE. */
export function subscribeOptions({ by }: Subscription, hasIdentifiers: boolean): IClientSubscribeOptions {
  return hasIdentifiers ? { ...OPTIONS, properties: { subscriptionIdentifier: by } } : OPTIONS
}

/** The subscriptions of one connection; hands their frames to its host. */
export class Subscriptions {
  /** Keyed by the name of the topic at the broker. */
  readonly #byName = new Map<string, Subscription>()
  readonly #host: TransportHost
  readonly #prefix: string
  #watch: Subscription | undefined
  #isOver = false

  constructor(host: TransportHost, prefix: string) {
    this.#host = host
    this.#prefix = prefix
  }

  add(name: string, subscription: Subscription): void {
    this.#byName.set(name, subscription)
    if (subscription.by === BY.watch) this.#watch = subscription
  }

  /** Removes a subscription; if one is given, only that one. Returns whether it was there. */
  remove(name: string, subscription = this.#byName.get(name)): boolean {
    if (this.#byName.get(name) !== subscription) return false
    if (subscription === this.#watch) this.#watch = undefined
    return this.#byName.delete(name)
  }

  /** Ends all subscriptions for good: the host receives nothing any more. */
  end(): void {
    this.#isOver = true
    this.#byName.clear()
    this.#watch = undefined
  }

  /** Hands over a frame. `by`: the identifiers of the matching subscriptions; without one it is a join's. */
  receive(name: string, frame: Uint8Array, by: number | readonly number[] = BY.join): void {
    const isBy = (id: number) => by === id || (typeof by !== 'number' && by.includes(id))
    const topic = isBy(BY.join) ? this.#byName.get(name)?.topic : undefined
    if (topic !== undefined) this.#hand(topic, () => this.#host.receive(topic, frame))
    if (this.#watch === undefined || !isBy(BY.watch)) return
    this.#hand(undefined, () => this.#host.watched(name.slice(this.#prefix.length), frame))
  }

  #hand(topic: Topic | undefined, take: () => void): void {
    try {
      take()
    } catch (cause) {
      // An exception here would silently stop the client from reading, for good.
      const error = failed(`A frame from MQTT was not taken: ${reasonOf(cause)}.`, cause)
      queueMicrotask(() => this.#isOver || this.#host.error(topic, error))
    }
  }
}
