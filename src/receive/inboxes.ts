import type { Connection } from '../connection/connection.ts'
import type { JoinChange } from '../connection/joins.ts'
import type { HubState, StreamState } from '../model/stream-state.ts'
import { type Topic, topicOf } from '../model/topic.ts'
import { Inbox } from './inbox.ts'
import { HubPublishers, type PublisherBounds, Publishers } from './publishers.ts'

/** What is known of a topic's publishers outlives its stream by this, for a stream that is opened meanwhile. */
const KEPT_MS = 60_000
const MAX_KEPT = 1_024

/** The receiving side of a hub: which stream takes the frames of which topic, while it listens. */
export class Inboxes {
  readonly #hub: HubState
  readonly #connection: Connection
  readonly #removed: (state: StreamState) => void
  readonly #all: HubPublishers
  readonly #byTopic = new Map<Topic, Inbox>()
  /** Of streams that have ended, the oldest first. */
  readonly #ended = new Map<Topic, Publishers>()

  /** `removed` is called when another process has removed a stream. */
  constructor(
    hub: HubState,
    connection: Connection,
    bounds: PublisherBounds,
    removed: (state: StreamState) => void,
  ) {
    this.#hub = hub
    this.#all = new HubPublishers(hub, bounds)
    this.#connection = connection
    this.#removed = removed
  }

  /** Joins or leaves the stream's topic: somebody subscribes now, or nobody does any more. */
  listen(state: StreamState, isWanted: boolean): void {
    const { joins, confirmations } = this.#connection
    const topic = topicOf(state.hub.name, state.name)
    if (isWanted) {
      this.#forgetOldest()
      if (state.counters.subscribers === 0) return // the clock that was read may have ended the stream
      if (!this.#byTopic.has(topic)) {
        const publishers = this.#ended.get(topic) ?? new Publishers(this.#all)
        this.#ended.delete(topic)
        this.#byTopic.set(topic, new Inbox(state, publishers, confirmations, this.#removed))
      }
      joins.want(topic)
    } else {
      this.joinChanged(topic, 'left')
      joins.unwant(topic)
    }
  }

  /** The stream has ended: what is known of its publishers is kept for a while. */
  end(state: StreamState): void {
    const topic = topicOf(state.hub.name, state.name)
    const publishers = this.#byTopic.get(topic)?.publishers
    if (publishers === undefined) return
    this.#byTopic.delete(topic)
    publishers.state = undefined
    publishers.endedMs = this.#hub.clock.nowMs()
    this.#ended.set(topic, publishers)
    this.#forgetOldest()
  }

  receive(topic: Topic, frame: Uint8Array | string): void {
    const inbox = this.#byTopic.get(topic)
    if (inbox === undefined || inbox.isRefused || inbox.state.counters.subscribers === 0)
      this.#hub.totals.drop('notJoined')
    else inbox.receive(frame)
  }

  /** Tells the subscribers of a topic what became of its join. */
  joinChanged(topic: Topic, change: JoinChange): void {
    this.#byTopic.get(topic)?.joinChanged(change)
  }

  /** The hub is closed: nothing is waited for any more. */
  close(): void {
    this.#all.close()
  }

  #forgetOldest(): void {
    const nowMs = this.#hub.clock.nowMs()
    for (const [topic, publishers] of this.#ended) {
      if (this.#ended.size <= MAX_KEPT && nowMs - publishers.endedMs <= KEPT_MS) return
      publishers.clear()
      this.#ended.delete(topic)
    }
  }
}
