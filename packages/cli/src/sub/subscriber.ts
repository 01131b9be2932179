import type { MessageRecord } from '@rivulet/replay'
import type { Hub, Ledger, Message, StreamOptions } from 'rivulet'
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

/** Lets every message through: size and limit are its publisher's affair. */
const WITHOUT_LIMITS: StreamOptions = { limit: false, maxBytes: 65_536 }

/** Subscribes to streams of a hub and hands their messages on until it has enough. */
export class Subscriber {
  readonly #hub: Hub
  readonly #names: readonly string[]
  readonly #bounds: Bounds
  readonly #enough = new AbortController()
  /** Messages that were handed on. */
  received = 0

  constructor(hub: Hub, names: readonly string[], schema: Schema | undefined, bounds: Bounds) {
    this.#hub = hub
    this.#names = [...new Set(names)]
    this.#bounds = bounds
    for (const name of this.#names) hub.stream(name, { ...WITHOUT_LIMITS, schema })
  }

  /** Whether as many messages came as were asked for, or none were. */
  get isComplete(): boolean {
    return this.received >= (this.#bounds.count ?? 0)
  }

  /**
   * Subscribes, calls `subscribed` once the broker has confirmed it, and `take` with each message. Resolves when it has
   * enough or `signal` aborts. Rejects when the broker refuses.
   */
  async run(
    signal: AbortSignal,
    { subscribed, take }: { subscribed: () => void; take: (record: MessageRecord) => void },
  ): Promise<void> {
    let idle: NodeJS.Timeout | undefined
    let limit: NodeJS.Timeout | undefined
    const subscriptions = this.#names.map((name) =>
      this.#hub.stream(name).subscribe((message) => {
        if (this.#enough.signal.aborted) return
        idle?.refresh()
        this.#take(name, message, take)
      }),
    )
    const ended = until(AbortSignal.any([signal, this.#enough.signal]))
    try {
      await Promise.race([Promise.all(subscriptions.map(({ ready }) => ready)), ended])
      if (!signal.aborted) subscribed()
      const { idleMs, forMs } = this.#bounds
      idle = this.#timer(idleMs)
      limit = this.#timer(forMs)
      await ended
    } finally {
      clearTimeout(idle)
      clearTimeout(limit)
      this.#enough.abort()
      for (const subscription of subscriptions) subscription.unsubscribe()
    }
  }

  /** Returns where all received messages ended. */
  ledger(): Ledger {
    return this.#hub.ledger()
  }

  #take(stream: string, { sid, data }: Message<unknown>, take: (record: MessageRecord) => void): void {
    this.received += 1
    take({ stream, sid, data, receivedAt: new Date().toISOString() })
    if (this.#bounds.count !== undefined && this.isComplete) this.#enough.abort()
  }

  #timer(afterMs: number | undefined): NodeJS.Timeout | undefined {
    return afterMs === undefined ? undefined : setTimeout(() => this.#enough.abort(), afterMs)
  }
}
