import { decodeFrame, isRemoval, LeakyBucket, MAX_INCOMING_BYTES } from 'rivulet/transport'

/** Removals a second of one stream that are passed on, as a receiver of the core takes them. */
export const REMOVALS_PER_SECOND = 5
/** How much faster a bucket leaks, so that clocks that run apart do not use up the second of tolerance. */
const LEAK = 1.001

/** Makes the bucket of a receiver: with a second of tolerance, since networks bunch what was published evenly. */
export function receivingBucket(ratePerSecond: number, burst: number): LeakyBucket {
  return new LeakyBucket(ratePerSecond * LEAK, burst + ratePerSecond)
}

/** Counts the messages of a frame; 0 when none of them is well-formed, 1 for a removal. */
function messagesIn(frame: Uint8Array): number {
  const decoded = decodeFrame(frame)
  if (decoded === undefined) return 0
  return 'removedBy' in decoded ? 1 : decoded.filter((entry) => entry !== undefined).length
}

/** Limits what passes to pages on one stream: no more than a receiver of the core would take anyway. */
export class RateGate {
  readonly #messages: LeakyBucket
  /** Filled by frames in which there is nothing, so that a flood of them is mostly not decoded. */
  readonly #garbage: LeakyBucket
  readonly #removals = new LeakyBucket(REMOVALS_PER_SECOND, REMOVALS_PER_SECOND)

  constructor(ratePerSecond: number, burst: number) {
    this.#messages = receivingBucket(ratePerSecond, burst)
    this.#garbage = receivingBucket(ratePerSecond, burst)
  }

  /** Tells whether a frame may pass, and counts it if so. A frame for which there is no room is not decoded. */
  admits(frame: Uint8Array, nowMs: number): boolean {
    if (frame.length > MAX_INCOMING_BYTES) return false
    if (isRemoval(frame)) return this.#removals.take(nowMs)
    if (!this.#messages.hasRoom(nowMs) || !this.#garbage.hasRoom(nowMs)) return false
    const messages = messagesIn(frame)
    if (messages === 0) this.#garbage.fill(nowMs)
    // All of it passes or nothing; what is too much now is missing from the room of the next ones.
    for (let message = 0; message < messages; message++) this.#messages.fill(nowMs)
    return messages > 0
  }
}
