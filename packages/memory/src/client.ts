import type { Topic, TransportHost } from 'rivulet'

/**
 * What a bus did to frames. The unit is one delivery, a frame on its way to one receiver: a frame that three
 * transports have joined counts three times, one that nobody has joined does not count.
 * `sent + duplicated = delivered + lost + partitioned + cut + left + inFlight` at any time.
 */
export interface BusCounts {
  /** Routed to a receiver. Frames that a freeze holds are routed, and so counted, when it ends. */
  readonly sent: number
  /** Second copies made on purpose. */
  readonly duplicated: number
  /** Handed to the receiver, copies included. */
  readonly delivered: number
  /** Lost by the `loss` chance. */
  readonly lost: number
  /** Lost because a partition lay between sender and receiver. */
  readonly partitioned: number
  /** Lost on the way: the bus went down, or their sender's `close` ran out of time during a freeze. */
  readonly cut: number
  /** Dropped because the receiver had left the topic or closed when they arrived. */
  readonly left: number
  /** On the way now. */
  readonly inFlight: number
}

/** Names one of the things that can happen to a delivery. */
export type Counted = Exclude<keyof BusCounts, 'inFlight'>

/** Counts what happens to deliveries. */
export class Counter {
  readonly #counts = { sent: 0, duplicated: 0, delivered: 0, lost: 0, partitioned: 0, cut: 0, left: 0 }

  add(event: Counted): void {
    this.#counts[event] += 1
  }

  read(): BusCounts {
    const { sent, duplicated, delivered, lost, partitioned, cut, left } = this.#counts
    const inFlight = sent + duplicated - delivered - lost - partitioned - cut - left
    return Object.freeze({ ...this.#counts, inFlight })
  }
}

/** A transport as its bus knows it; the same over all its connections. */
export interface Client {
  readonly number: number
  /** Counts what was sent to this transport. */
  readonly counter: Counter
}

/** One `open` of a transport. */
export interface Connection {
  readonly client: Client
  readonly host: TransportHost
  readonly subscriptions: Map<Topic, Subscription>
  /** Deliveries that wait here until later ones of the same sender have gone first. */
  readonly heldBack: Set<Delivery>
  /** Opening, then up, then ended; never back. */
  state: 'opening' | 'up' | 'ended'
}

/** One `join`, or one `watch`. A delivery belongs to the join that it was routed to, so a later one does not get it. */
export interface Subscription {
  readonly connection: Connection
  /** What is joined; of a watch the beginning that all topics of the hub have, which is no topic itself. */
  readonly topic: Topic
  /** Joining, then joined, then ended; never back. */
  state: 'joining' | 'joined' | 'ended'
}

/** One copy of a frame on its way to one receiver. */
export interface Delivery {
  readonly sender: Client
  readonly subscription: Subscription
  readonly topic: Topic
  readonly bytes: Uint8Array
  readonly delayMs: number
  /** How many deliveries of the same sender still have to go first. */
  letsPass: number
  dueMs: number
}

/** Calls a host, which must not throw but may. What it throws is reported to it once. */
export function callHost(host: TransportHost, topic: Topic | undefined, call: () => void): void {
  try {
    call()
  } catch (thrown) {
    try {
      host.error(topic, thrown instanceof Error ? thrown : new Error(String(thrown)))
    } catch {
      // Nobody is left to tell.
    }
  }
}
