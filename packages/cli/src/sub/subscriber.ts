import type { MessageRecord } from '@rivulet/replay'
import type { Hub, Ledger, Message, StreamOptions, Subscription } from 'rivulet'
import { until } from '../base/until.ts'
import type { Schema } from './json-schema.ts'
import type { Gap } from './summary.ts'

/** Conditions for the end of a subscriber. */
export interface Bounds {
  /** The number of messages. */
  readonly count: number | undefined
  /** Time since the subscription, in ms. */
  readonly forMs: number | undefined
  /** Time without a message, in ms. */
  readonly idleMs: number | undefined
}

/** Callbacks of a subscriber. */
export interface SubscriberEvents {
  /** The broker has confirmed the subscription to these streams, at first or after a removal. */
  subscribed(names: readonly string[]): void
  /** A stream was removed. The subscriber subscribes to it again. */
  removed(name: string): void
  /** The connection was interrupted, or messages since then are missing. */
  gap(gap: Gap): void
  /** A message has arrived. */
  take(record: MessageRecord): void
}

/** Accepts every message: the publisher enforces size and limit. */
const WITHOUT_LIMITS: StreamOptions = { limit: false, maxBytes: 65_536 }

/** Subscribes to streams of a hub and passes their messages on until a bound is reached. */
export class Subscriber {
  readonly #hub: Hub
  readonly #names: readonly string[]
  readonly #options: StreamOptions
  readonly #bounds: Bounds
  readonly #enough = new AbortController()
  /** Keyed by the names of their streams. */
  readonly #subscriptions = new Map<string, Subscription>()
  #idle: NodeJS.Timeout | undefined
  /** The number of messages passed on. */
  received = 0

  constructor(hub: Hub, names: readonly string[], schema: Schema | undefined, bounds: Bounds) {
    this.#hub = hub
    this.#names = [...new Set(names)]
    this.#options = { ...WITHOUT_LIMITS, schema }
    this.#bounds = bounds
    for (const name of this.#names) hub.stream(name, this.#options)
  }

  /** Whether the requested number of messages has arrived, if any was requested. */
  get isComplete(): boolean {
    return this.received >= (this.#bounds.count ?? 0)
  }

  /**
   * Subscribes, and again to each stream that is removed. Resolves when a bound is reached or `signal` aborts. Rejects when
   * the broker refuses the first subscription.
   */
  async run(signal: AbortSignal, events: SubscriberEvents): Promise<void> {
    let limit: NodeJS.Timeout | undefined
    this.#hub.on('streamRemoved', ({ name }) => this.#removed(name, events))
    for (const name of this.#names) this.#subscribe(name, events)
    const ended = until(AbortSignal.any([signal, this.#enough.signal]))
    try {
      await Promise.race([Promise.all(this.#names.map((name) => this.#confirmed(name))), ended])
      if (!signal.aborted) events.subscribed(this.#names)
      const { idleMs, forMs } = this.#bounds
      this.#idle = this.#timer(idleMs)
      limit = this.#timer(forMs)
      await ended
    } finally {
      clearTimeout(this.#idle)
      clearTimeout(limit)
      this.#enough.abort()
      for (const subscription of this.#subscriptions.values()) subscription.unsubscribe()
    }
  }

  /** Returns the outcomes of all received messages. */
  ledger(): Ledger {
    return this.#hub.ledger()
  }

  #subscribe(name: string, events: SubscriberEvents): void {
    const stream = this.#hub.stream(name, this.#options)
    stream.on('gap', ({ missed, sinceMs }) => events.gap({ stream: name, missed, sinceMs }))
    const subscription = stream.subscribe((message) => {
      if (this.#enough.signal.aborted) return
      this.#idle?.refresh()
      this.#take(name, message, events)
    })
    this.#subscriptions.set(name, subscription)
  }

  /** Subscribes again after a removal, which has ended the stream. */
  #removed(name: string, events: SubscriberEvents): void {
    if (this.#enough.signal.aborted) return
    events.removed(name)
    this.#subscribe(name, events)
    // When the broker refuses, the hub emits an error and tries again.
    this.#confirmed(name).then(
      () => events.subscribed([name]),
      () => {},
    )
  }

  /** Resolves when the subscription to a stream, or its successor after a removal, is confirmed. */
  async #confirmed(name: string): Promise<void> {
    const subscription = this.#subscriptions.get(name)
    try {
      await subscription?.ready
    } catch (error) {
      if (this.#subscriptions.get(name) === subscription) throw error
      await this.#confirmed(name)
    }
  }

  #take(stream: string, { sid, data }: Message<unknown>, { take }: SubscriberEvents): void {
    this.received += 1
    take({ stream, sid, data, receivedAt: new Date().toISOString() })
    if (this.#bounds.count !== undefined && this.isComplete) this.#enough.abort()
  }

  #timer(afterMs: number | undefined): NodeJS.Timeout | undefined {
    return afterMs === undefined ? undefined : setTimeout(() => this.#enough.abort(), afterMs)
  }
}
