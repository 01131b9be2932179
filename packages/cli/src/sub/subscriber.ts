import type { MessageRecord } from '@rivulet/replay'
import type { Hub, Ledger, Message, StreamOptions, Subscription } from 'rivulet'
import { until } from '../base/until.ts'
import type { Schema } from './json-schema.ts'

/** When a subscriber ends. */
export interface Bounds {
  /** After so many messages. */
  readonly count: number | undefined
  /** So long after it has subscribed. */
  readonly forMs: number | undefined
  /** When so long no message has come. */
  readonly idleMs: number | undefined
}

/** What a subscriber calls. */
export interface SubscriberEvents {
  /** The broker has confirmed the subscription to these streams: at the beginning, and after a removal. */
  subscribed(names: readonly string[]): void
  /** A stream was removed. The subscriber subscribes to it again. */
  removed(name: string): void
  /** A message came. */
  take(record: MessageRecord): void
}

/** Lets every message through: size and limit are its publisher's affair. */
const WITHOUT_LIMITS: StreamOptions = { limit: false, maxBytes: 65_536 }

/** Subscribes to streams of a hub and hands their messages on until it has enough. */
export class Subscriber {
  readonly #hub: Hub
  readonly #names: readonly string[]
  readonly #options: StreamOptions
  readonly #bounds: Bounds
  readonly #enough = new AbortController()
  /** By the names of their streams. */
  readonly #subscriptions = new Map<string, Subscription>()
  #idle: NodeJS.Timeout | undefined
  /** Messages that were handed on. */
  received = 0

  constructor(hub: Hub, names: readonly string[], schema: Schema | undefined, bounds: Bounds) {
    this.#hub = hub
    this.#names = [...new Set(names)]
    this.#options = { ...WITHOUT_LIMITS, schema }
    this.#bounds = bounds
    for (const name of this.#names) hub.stream(name, this.#options)
  }

  /** Whether as many messages came as were asked for, or none were. */
  get isComplete(): boolean {
    return this.received >= (this.#bounds.count ?? 0)
  }

  /**
   * Subscribes, and again to each stream that is removed. Resolves when it has enough or `signal` aborts. Rejects when the
   * broker refuses at the beginning.
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

  /** Returns where all received messages ended. */
  ledger(): Ledger {
    return this.#hub.ledger()
  }

  #subscribe(name: string, events: SubscriberEvents): void {
    const subscription = this.#hub.stream(name, this.#options).subscribe((message) => {
      if (this.#enough.signal.aborted) return
      this.#idle?.refresh()
      this.#take(name, message, events)
    })
    this.#subscriptions.set(name, subscription)
  }

  /** A removal ends the stream. The next publish anywhere opens it again. */
  #removed(name: string, events: SubscriberEvents): void {
    if (this.#enough.signal.aborted) return
    events.removed(name)
    this.#subscribe(name, events)
    // When the broker refuses, the hub tells it as an error and tries again.
    this.#confirmed(name).then(
      () => events.subscribed([name]),
      () => {},
    )
  }

  /** Resolves when the subscription to a stream is confirmed, or the one that follows it after a removal. */
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
