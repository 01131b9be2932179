import type { Topic, TransportHost } from 'rivulet'

/**
 * Counts deliveries by outcome. A delivery is one frame for one receiver: a frame on a topic that three transports have
 * joined counts three times, on a topic without a join it does not count.
 * `sent + duplicated = delivered + lost + partitioned + cut + left + inFlight` at any time.
 */
export interface BusCounts {
  /** Routed to a receiver. Frames sent during a freeze are routed, and so counted, at `thaw`. */
  readonly sent: number
  /** Duplicates that the `duplicate` chance made. */
  readonly duplicated: number
  /** Handed to the receiver, duplicates included. */
  readonly delivered: number
  /** Lost by the `loss` chance. */
  readonly lost: number
  /** Lost because a partition separated sender and receiver. */
  readonly partitioned: number
  /** Lost in flight: the bus went down, or the sender's `close` ran out of time during a freeze. */
  readonly cut: number
  /** Dropped because the receiver had left the topic or closed by the time of arrival. */
  readonly left: number
  /** In flight now. */
  readonly inFlight: number
}

/** An outcome of a delivery. */
export type Counted = Exclude<keyof BusCounts, 'inFlight'>

/** Counts deliveries by outcome. */
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

/** The bus's record of a transport; one for all its connections. */
export interface Client {
  readonly number: number
  /** Counts the deliveries to this transport. */
  readonly counter: Counter
}

/** One `open` of a transport. */
export interface Connection {
  readonly client: Client
  readonly host: TransportHost
  readonly subscriptions: Map<Topic, Subscription>
  /** Deliveries that wait until later ones of the same sender have overtaken them. */
  readonly reordered: Set<Delivery>
  /** Opening, then up, then ended; never back. */
  state: 'opening' | 'up' | 'ended'
}

/** One `join` or one `watch`. A delivery belongs to the join it was routed to; a later join does not receive it. */
export interface Subscription {
  readonly connection: Connection
  /** The joined topic; for a watch the common prefix of the hub's topics, which is no topic itself. */
  readonly topic: Topic
  /** Joining, then joined, then ended; never back. */
  state: 'joining' | 'joined' | 'ended'
}

/** One copy of a frame in flight to one receiver. */
export interface Delivery {
  readonly sender: Client
  readonly subscription: Subscription
  readonly topic: Topic
  readonly bytes: Uint8Array
  readonly delayMs: number
  /** Number of deliveries of the same sender that still have to overtake this one. */
  overtakenBy: number
  dueMs: number
}

/** Calls a host. It must not throw; if it does, the error is reported to it once. */
export function callHost(host: TransportHost, topic: Topic | undefined, call: () => void): void {
  try {
    call()
  } catch (thrown) {
    try {
      host.error(topic, thrown instanceof Error ? thrown : new Error(String(thrown)))
    } catch {
      // The error cannot be reported anywhere.
    }
  }
}
