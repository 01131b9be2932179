import type { Tap } from 'rivulet'
import { sumOf } from '../base/sum.ts'

/** What one stream of a hub does, as a tap hears it. */
export interface StreamActivity {
  /** The stream's name. */
  readonly stream: string
  /** Messages a second since the last look. */
  readonly messagesPerSecond: number
  /** Bytes of frames a second since the last look. */
  readonly bytesPerSecond: number
  /** Publishers that are known. */
  readonly publishers: number
  /** Messages so far. */
  readonly messages: number
  /** Messages that were published and did not come, as the gaps in their numbers tell. */
  readonly missed: number
  /** Messages that came behind later ones. */
  readonly reordered: number
  /** Messages that were dropped, whatever the reason. */
  readonly dropped: number
}

interface Count {
  readonly messages: number
  readonly bytes: number
}

const NOTHING: Count = { messages: 0, bytes: 0 }

/** Looks at a tap from time to time, and tells what each stream has done since the last look. */
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

  /** Looks. The busiest stream comes first; those that are equally busy are in the order of their names. */
  look(nowMs: number): StreamActivity[] {
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
        ...{ publishers, messages, missed, reordered },
        dropped: sumOf(Object.values(ledger.dropped)),
      })
    }
    this.#last = counts
    this.#lastMs = nowMs
    return activities.sort(byRate)
  }
}

/** More than a tenth would claim what a clock does not know. */
function rounded(rate: number): number {
  return Math.round(rate * 10) / 10
}

function byRate(one: StreamActivity, other: StreamActivity): number {
  return other.messagesPerSecond - one.messagesPerSecond || (one.stream < other.stream ? -1 : 1)
}
