import { encodeTopical, KIND } from '@rivulet/websocket/protocol'
import { LeakyBucket } from 'rivulet/adapter'

/** Frames a second that are refused before the page has to go; a second's worth more may come at once. */
const REFUSED_PER_SECOND = 1_000
/** The most topics whose refusals are not reported yet. */
const MAX_TOPICS = 64
/** Longer than any topic of a hub. */
const MAX_TOPIC_LENGTH = 4_096

/** The refused frames of a page that are not reported to it yet, and a limit on their number. */
export class FrameRefusals {
  readonly #refused = new LeakyBucket(REFUSED_PER_SECOND, 2 * REFUSED_PER_SECOND)
  /** By topic, why its first frame was refused. */
  readonly #reasons = new Map<string, string>()

  /** Whether the refusals have to be reported before more is refused. */
  get isFull(): boolean {
    return this.#reasons.size >= MAX_TOPICS
  }

  /** Notes a refused frame. Returns false when there are too many. */
  add(topic: string, reason: string, nowMs: number): boolean {
    const named = topic.length > MAX_TOPIC_LENGTH ? '' : topic
    if (!this.#reasons.has(named)) this.#reasons.set(named, reason)
    return this.#refused.take(nowMs)
  }

  /** Returns the messages that report them to the page, one a topic. */
  take(): readonly Uint8Array[] {
    const faults = Array.from(this.#reasons, ([topic, reason]) =>
      encodeTopical(KIND.fault, topic, `The server refused a frame: ${reason}.`),
    )
    this.#reasons.clear()
    return faults
  }
}
