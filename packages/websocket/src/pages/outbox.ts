import type { PageContext } from './page-context.ts'
import type { PageSocket } from './session.ts'

/** Room for answers beyond `maxWaitingBytes`. */
const ANSWERS_BYTES = 65_536

/** Sends to one page, within the bounds of what may wait for it. */
export class Outbox {
  readonly #socket: PageSocket
  readonly #context: PageContext

  constructor(socket: PageSocket, context: PageContext) {
    this.#socket = socket
    this.#context = context
  }

  /** Sends a frame if there is room for it, and counts it either way. */
  offer(frame: Uint8Array): void {
    const { limits, counts } = this.#context
    if (this.#socket.bufferedBytes + frame.length > limits.maxWaitingBytes) counts.dropped++
    else {
      counts.sent++
      this.#socket.send(frame)
    }
  }

  /** Sends an answer, or returns false: there is no room for it, so the page does not read. */
  answer(message: Uint8Array): boolean {
    if (this.#socket.bufferedBytes > this.#context.limits.maxWaitingBytes + ANSWERS_BYTES) return false
    this.#socket.send(message)
    return true
  }
}
