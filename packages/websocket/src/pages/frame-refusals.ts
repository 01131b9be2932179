import { LeakyBucket } from 'rivulet/transport'
import { encodeTopical, KIND } from '../base/protocol.ts'

/** Frames a second that are refused before the page has to go; a second's worth more may come at once. */
const REFUSED_PER_SECOND = 1_000
/** A page is told of refused frames so often. */
const FAULTS_PER_SECOND = 3

/** Bounds how many frames of a page are refused, and how many of them it is told of. */
export class FrameRefusals {
  readonly #refused = new LeakyBucket(REFUSED_PER_SECOND, 2 * REFUSED_PER_SECOND)
  readonly #faults = new LeakyBucket(FAULTS_PER_SECOND, FAULTS_PER_SECOND)

  /** Returns what to tell the page of a refused frame, if anything, or `'tooMany'`. */
  add(topic: string, reason: string, nowMs: number): Uint8Array | 'tooMany' | undefined {
    if (!this.#refused.take(nowMs)) return 'tooMany'
    if (!this.#faults.take(nowMs)) return undefined
    return encodeTopical(KIND.fault, topic, `The server refused a frame: ${reason}.`)
  }
}
