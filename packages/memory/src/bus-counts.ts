/**
 * What a bus did to frames. The unit is one frame on its way to one receiver: a frame that three transports have
 * joined counts three times, one that nobody has joined does not count.
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

/** One thing that can happen to a frame. */
export type Counted = Exclude<keyof BusCounts, 'inFlight'>

/** Counts events, for a bus or for one receiver. */
export class Tally {
  readonly #counts: Record<Counted, number> = {
    sent: 0,
    duplicated: 0,
    delivered: 0,
    lost: 0,
    partitioned: 0,
    cut: 0,
    left: 0,
  }

  add(event: Counted): void {
    this.#counts[event] += 1
  }

  read(): BusCounts {
    const { sent, duplicated, delivered, lost, partitioned, cut, left } = this.#counts
    const inFlight = sent + duplicated - delivered - lost - partitioned - cut - left
    return Object.freeze({ sent, duplicated, delivered, lost, partitioned, cut, left, inFlight })
  }
}
