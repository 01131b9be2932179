import type { Tap } from 'rivulet'
import { sumOf } from '../base/sum.ts'

/** The activity of one stream, as received by a tap. */
export interface StreamActivity {
  /** The stream's name. */
  readonly stream: string
  /** Messages a second since the last sample. */
  readonly messagesPerSecond: number
  /** Bytes of frames a second since the last sample. */
  readonly bytesPerSecond: number
  /** Known publishers. */
  readonly publishers: number
  /** Messages so far. */
  readonly messages: number
  /** Messages that did not arrive, by the gaps in their numbers. */
  readonly missed: number
  /** Messages that arrived after later ones. */
  readonly reordered: number
  /** Messages dropped for any reason. */
  readonly dropped: number
}

interface Count {
  readonly messages: number
  readonly bytes: number
}

const NOTHING: Count = { messages: 0, bytes: 0 }

/** Samples a tap, and reports the activity of each stream since the last sample. */
export class Activity {
  readonly #tap: Tap
  readonly #isWanted: (name: string) => boolean
  #last = new Map<string, Count>()
  #lastMs: number

  constructor(tap: Tap, isWanted: (name: string) => boolean, nowMs: number) {
    this.#tap = tap
    this.#isWanted = isWanted
    this.#lastMs = nowMs
  }

  /** Takes a sample. The busiest stream is first; equally busy ones are sorted by name. */
  sample(nowMs: number): StreamActivity[] {
    const seconds = Math.max(1, nowMs - this.#lastMs) / 1000
    const counts = new Map<string, Count>()
    const activities: StreamActivity[] = []
    for (const { name, bytes, publishers, ledger } of this.#tap.streams()) {
      if (!this.#isWanted(name)) continue
      const { delivered: messages, missed, reordered } = ledger
      const last = this.#last.get(name) ?? NOTHING
      counts.set(name, { messages, bytes })
      activities.push({
        stream: name,
        messagesPerSecond: rounded((messages - last.messages) / seconds),
        bytesPerSecond: rounded((bytes - last.bytes) / seconds),
        publishers,
        messages,
        missed,
        reordered,
        dropped: sumOf(Object.values(ledger.dropped)),
      })
    }
    this.#last = counts
    this.#lastMs = nowMs
    return activities.sort(byRate)
  }
}

/** Rounds a rate to a tenth: more digits would exceed the precision of the clock. */
function rounded(rate: number): number {
  return Math.round(rate * 10) / 10
}

function byRate(one: StreamActivity, other: StreamActivity): number {
  return other.messagesPerSecond - one.messagesPerSecond || (one.stream < other.stream ? -1 : 1)
}
