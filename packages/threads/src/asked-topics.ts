import type { Topic } from 'rivulet'

/** How many asks are kept apart. Older ones are merged, so that asks which nobody answers do not fill the memory. */
const MOST_ASKS = 16

interface Ask {
  readonly position: number
  /** The topics sent on before it, each with the position of the first ask that came after it. */
  readonly topics: Map<Topic, number>
}

/**
 * Which topics were sent on before which ask. It is not known which frames a lost post held, only between which asks it
 * was made; and an answer may come after later asks.
 */
export class AskedTopics {
  // In the order of their positions. The first may stand for several: its position is the last of theirs.
  #asks: Ask[] = []

  /** Notes what was sent since the last ask. What all others have answered up to `answered` is forgotten. */
  add(position: number, topics: ReadonlySet<Topic>, answered: number): void {
    this.#asks = this.#asks.filter((ask) => ask.position > answered)
    if (topics.size === 0) return
    this.#asks.push({ position, topics: new Map(Array.from(topics, (topic) => [topic, position])) })
    const oldest = this.#asks.length > MOST_ASKS ? this.#asks.shift() : undefined
    for (const [topic, first] of oldest?.topics ?? []) this.#asks[0]?.topics.set(topic, first)
  }

  /** The topics of all that was sent after one ask and before another. For merged asks also some sent on before. */
  between(after: number, upTo: number): Set<Topic> {
    const asks = this.#asks.filter(({ position }) => position > after)
    const topics = asks.flatMap((ask) => [...ask.topics])
    return new Set(topics.filter(([, first]) => first <= upTo).map(([topic]) => topic))
  }
}
