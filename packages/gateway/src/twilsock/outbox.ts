import type { TwilsockSocket } from './socket.ts'

/** Counts what became of messages. */
export interface OutboxCounts {
  sent: number
  dropped: number
}

// Answers find room even when messages have taken all of theirs.
const SHARE_OF_MESSAGES = 7 / 8

/** Hands frames to a socket, as many as may wait there. */
export class Outbox {
  readonly #socket: TwilsockSocket
  readonly #maxBytes: number
  readonly #counts: OutboxCounts
  #handedBytes = 0
  #takenBytes = 0

  constructor(socket: TwilsockSocket, maxBytes: number, counts: OutboxCounts) {
    this.#socket = socket
    this.#maxBytes = maxBytes
    this.#counts = counts
  }

  /** Hands a message over, or drops it. */
  push(bytes: Uint8Array): void {
    if (this.#hasRoom(bytes, this.#maxBytes * SHARE_OF_MESSAGES)) {
      this.#counts.sent += 1
      this.#hand(bytes)
    } else this.#counts.dropped += 1
  }

  /** Hands over what must not be lost; tells whether there was room. */
  send(bytes: Uint8Array): boolean {
    const hasRoom = this.#hasRoom(bytes, this.#maxBytes)
    if (hasRoom) this.#hand(bytes)
    return hasRoom
  }

  /** Tells whether the client has taken anything since the last time, or there was nothing to take. */
  hasMoved(): boolean {
    const waiting = this.#socket.bufferedBytes
    const takenBytes = this.#handedBytes - waiting
    const hasMoved = waiting === 0 || takenBytes > this.#takenBytes
    this.#takenBytes = takenBytes
    return hasMoved
  }

  /** One frame has room always, however small the limit is. */
  #hasRoom(bytes: Uint8Array, limit: number): boolean {
    const waiting = this.#socket.bufferedBytes
    return waiting === 0 || waiting + bytes.length <= limit
  }

  #hand(bytes: Uint8Array): void {
    this.#handedBytes += bytes.length
    this.#socket.send(bytes)
  }
}
