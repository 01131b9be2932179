/** The part of a socket that an outbox needs. */
export interface OutboxSocket {
  /** Sends a message. */
  send(bytes: Uint8Array): void
  /** How many bytes wait because the client does not take them. */
  readonly bufferedBytes: number
}

/** The bytes that may wait in a socket whose client does not read. */
export interface OutboxLimits {
  /** For messages, which are dropped beyond. */
  readonly messageBytes: number
  /** For replies, which come beyond those of messages; a client without capacity for one has to be ended. */
  readonly replyBytes: number
}

/** Counts of the messages handed over and dropped. */
export interface OutboxCounts {
  /** Messages handed to the socket. */
  sent: number
  /** Messages for which there was no capacity. */
  dropped: number
}

/** Hands bytes to a socket, within the limits of the bytes that may wait there. */
export class Outbox {
  readonly #socket: OutboxSocket
  readonly #limits: OutboxLimits
  readonly #counts: OutboxCounts
  #handedBytes = 0
  #takenBytes = 0

  constructor(socket: OutboxSocket, limits: OutboxLimits, counts: OutboxCounts) {
    this.#socket = socket
    this.#limits = limits
    this.#counts = counts
  }

  /** Hands a message over, or drops it, and counts it either way. */
  push(bytes: Uint8Array): void {
    if (this.#hasCapacity(bytes, this.#limits.messageBytes)) {
      this.#counts.sent += 1
      this.#hand(bytes)
    } else {
      this.#counts.dropped += 1
    }
  }

  /** Hands a reply over; returns `false`, and sends nothing, when there is no capacity for it. */
  reply(bytes: Uint8Array): boolean {
    const hasCapacity = this.#hasCapacity(bytes, this.#limits.replyBytes)
    if (hasCapacity) this.#hand(bytes)
    return hasCapacity
  }

  /** Returns whether the client has taken anything since the last call, or there was nothing to take. */
  hasMoved(): boolean {
    const waiting = this.#socket.bufferedBytes
    const takenBytes = this.#handedBytes - waiting
    const hasMoved = waiting === 0 || takenBytes > this.#takenBytes
    this.#takenBytes = takenBytes
    return hasMoved
  }

  /** However small the limit is, one message may always be on its way. */
  #hasCapacity(bytes: Uint8Array, limit: number): boolean {
    const waiting = this.#socket.bufferedBytes
    return waiting === 0 || waiting + bytes.length <= limit
  }

  #hand(bytes: Uint8Array): void {
    this.#handedBytes += bytes.length
    this.#socket.send(bytes)
  }
}
