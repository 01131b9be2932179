import type { Connection } from '../connection/connection.ts'
import type { JoinChange } from '../connection/joins.ts'
import { named } from '../model/errors.ts'
import type { HubState, StreamState } from '../model/stream-state.ts'
import { type Topic, topicOf } from '../model/topic.ts'
import { Inbox, type InboxActions } from './inbox.ts'
import { HubPublishers, Publishers } from './publishers.ts'

/** What is known of a topic's publishers outlives its stream by this, for a stream that is opened meanwhile. */
const KEPT_MS = 60_000
const MAX_KEPT = 1_024

interface Entry {
  readonly state: StreamState
  readonly inbox: Inbox
  /** Whether the broker refused the join; what it sends all the same is not for the stream. */
  isRefused: boolean
}

/** The receiving side of a hub: which stream takes the frames of which topic, while it listens. */
export class Inboxes {
  readonly #hub: HubState
  readonly #actions: InboxActions
  readonly #all = new HubPublishers()
  readonly #byTopic = new Map<Topic, Entry>()
  /** Of streams that have ended, the oldest first. */
  readonly #ended = new Map<Topic, Publishers>()

  constructor(hub: HubState, actions: InboxActions) {
    this.#hub = hub
    this.#actions = actions
  }

  /** Joins or leaves the stream's topic: somebody subscribes now, or nobody does any more. */
  listen(state: StreamState, isWanted: boolean, { joins, confirmations }: Connection): void {
    const topic = topicOf(state.hub.name, state.name)
    if (isWanted) {
      if (!this.#byTopic.has(topic)) {
        const publishers = this.#takeKept(topic) ?? new Publishers(this.#all)
        const inbox = new Inbox(state, publishers, confirmations, this.#actions)
        this.#byTopic.set(topic, { state, inbox, isRefused: false })
      }
      joins.want(topic)
    } else {
      this.#left(topic)
      joins.unwant(topic)
    }
  }

  /** The stream has ended: what is known of its publishers is kept for a while. */
  end(state: StreamState): void {
    const topic = topicOf(state.hub.name, state.name)
    const entry = this.#byTopic.get(topic)
    if (entry === undefined) return
    this.#byTopic.delete(topic)
    const { publishers } = entry.inbox
    publishers.endedMs = this.#hub.clock.nowMs()
    this.#ended.set(topic, publishers)
    for (const [oldest, { endedMs }] of this.#ended) {
      if (this.#ended.size <= MAX_KEPT && publishers.endedMs - endedMs <= KEPT_MS) break
      this.#ended.get(oldest)?.clear()
      this.#ended.delete(oldest)
    }
  }

  receive(topic: Topic, frame: Uint8Array | string): void {
    const entry = this.#byTopic.get(topic)
    if (entry === undefined || entry.isRefused || entry.state.counters.subscribers === 0)
      this.#hub.totals.drop('notJoined')
    else entry.inbox.receive(frame)
  }

  /** Tells the subscribers of a topic what became of its join. */
  joinChanged(topic: Topic, change: JoinChange): void {
    const entry = this.#byTopic.get(topic)
    if (entry === undefined) return
    if (change === 'left') return this.#left(topic)
    const { state } = entry
    state.isJoined = change === 'joined'
    entry.isRefused = !state.isJoined
    const refusal = change === 'joined' ? undefined : named(change, this.#hub.name, state.name)
    for (const subscriber of [...state.subscribers]) subscriber?.joined(refusal)
  }

  #left(topic: Topic): void {
    const entry = this.#byTopic.get(topic)
    if (entry === undefined) return
    entry.state.isJoined = false
    entry.inbox.publishers.join++
  }

  #takeKept(topic: Topic): Publishers | undefined {
    const kept = this.#ended.get(topic)
    this.#ended.delete(topic)
    if (kept === undefined || this.#hub.clock.nowMs() - kept.endedMs <= KEPT_MS) return kept
    kept.clear()
    return undefined
  }
}
