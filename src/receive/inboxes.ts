import type { Connection } from '../connection/connection.ts'
import type { JoinChange } from '../connection/joins.ts'
import { type Topic, topicOf } from '../message/topic.ts'
import type { HubState, StreamState } from '../state/stream-state.ts'
import { Inbox } from './inbox.ts'
import { HubPublishers, type PublisherBounds, Publishers } from './publishers.ts'

/** The memory of a topic's publishers is kept this long after its stream has ended, for the next stream of the name. */
const KEPT_MS = 60_000
const MAX_KEPT = 1_024

/** The receiving side of a hub: passes each frame to the stream of its topic, while that has subscribers. */
export class Inboxes {
  readonly #hub: HubState
  readonly #connection: Connection
  readonly #removed: (state: StreamState) => void
  readonly #all: HubPublishers
  readonly #byTopic = new Map<Topic, Inbox>()
  /** The publishers of streams that have ended, the oldest first. */
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

  /** Joins or leaves the stream's topic to match whether anyone subscribes. */
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
      this.#byTopic.get(topic)?.leave()
      joins.unwant(topic)
    }
  }

  /** Called when the stream has ended: the memory of its publishers is kept for a while. */
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
    // While the broker refuses the join, frames of the topic are not for the stream.
    if (inbox === undefined || inbox.state.isRefused || inbox.state.counters.subscribers === 0)
      this.#hub.totals.drop('notJoined')
    else inbox.receive(frame)
  }

  /** Notifies the subscribers of a topic of the outcome of its join. */
  joinChanged(topic: Topic, change: JoinChange): void {
    this.#byTopic.get(topic)?.joinChanged(change)
  }

  /** Called when the hub is closed: cancels the timers. */
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
