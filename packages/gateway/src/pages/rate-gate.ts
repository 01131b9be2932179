import { decodeFrame, isRemoval, LeakyBucket, MAX_INCOMING_BYTES } from 'rivulet/adapter'
import type { PageLimits } from './pages-options.ts'

/** Removals a second of one stream that are passed on, as a receiver of the core takes them. */
export const REMOVALS_PER_SECOND = 5
/** How much faster a bucket leaks, so that clocks that run apart do not use up the second of tolerance. */
const LEAK = 1.001

/**
 * Makes the bucket of a receiver, for so many publishers: with a second of tolerance, since networks bunch what was
 * published evenly.
 */
export function receivingBucket(ratePerSecond: number, burst: number, publishers = 1): LeakyBucket {
  return new LeakyBucket(publishers * ratePerSecond * LEAK, publishers * (burst + ratePerSecond))
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

  constructor({
    ratePerSecond,
    burst,
    publishers,
  }: Pick<PageLimits, 'ratePerSecond' | 'burst' | 'publishers'>) {
    this.#messages = receivingBucket(ratePerSecond, burst, publishers)
    this.#garbage = receivingBucket(ratePerSecond, burst)
  }

  /** Returns whether a frame may pass, and counts it if so. A frame beyond the capacity is not decoded. */
  admits(frame: Uint8Array, nowMs: number): boolean {
    if (frame.length > MAX_INCOMING_BYTES) return false
    if (isRemoval(frame)) return this.#removals.take(nowMs)
    if (!this.#messages.hasCapacity(nowMs) || !this.#garbage.hasCapacity(nowMs)) return false
    const messages = messagesIn(frame)
    if (messages === 0) this.#garbage.fill(nowMs)
    // All of it passes or nothing; the excess is missing from the capacity of the next ones.
    for (let message = 0; message < messages; message++) this.#messages.fill(nowMs)
    return messages > 0
  }
}
