import type { Topic } from 'rivulet'

/** The most asks kept apart. Older ones are merged, so that unanswered asks do not fill the memory. */
const MOST_ASKS = 16

interface Ask {
  readonly position: number
  /** The topics sent on before this ask, each with the position of the first ask after it. */
  readonly topics: Map<Topic, number>
}

/**
 * Records the topics sent on before each ask. Of a lost post the frames are not known, only the two asks between which
 * it was made; and an answer may arrive after later asks.
 */
export class AskedTopics {
  // Sorted by position. The first may be several merged asks, with the position of the last of them.
  #asks: Ask[] = []

  /** Records the topics sent on since the last ask. Forgets the asks that all others have answered, up to `answered`. */
  add(position: number, topics: ReadonlySet<Topic>, answered: number): void {
    this.#asks = this.#asks.filter((ask) => ask.position > answered)
    if (topics.size === 0) return
    this.#asks.push({ position, topics: new Map(Array.from(topics, (topic) => [topic, position])) })
    const oldest = this.#asks.length > MOST_ASKS ? this.#asks.shift() : undefined
    for (const [topic, first] of oldest?.topics ?? []) this.#asks[0]?.topics.set(topic, first)
  }

  /** Returns the topics sent on between two asks. For merged asks also some sent on before the first. */
  between(after: number, upTo: number): Set<Topic> {
    const asks = this.#asks.filter(({ position }) => position > after)
    const topics = asks.flatMap((ask) => [...ask.topics])
    return new Set(topics.filter(([, first]) => first <= upTo).map(([topic]) => topic))
  }
}
