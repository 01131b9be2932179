import type { Topic, Transport } from 'rivulet'
import { type JoinChange, type Joins, keepJoins } from 'rivulet/transport'

/** A topic that nobody listens to any more is kept joined so long when upstream failed: its pages come back. */
const LINGER_MS = 60_000
const MAX_LINGERING = 4_096

/** Told of the topics that it asked for. The same object for all of them. */
export interface ChannelUser {
  /** What is sent from now on arrives. */
  joined(topic: Topic): void
  /** The join was refused: it is over, and may be asked for again. */
  refused(topic: Topic, cause: Error): void
  /** Upstream ended the join: it is over, and may be asked for again. */
  left(topic: Topic, cause: Error): void
}

/** One topic that somebody here listens to, or did a moment ago. */
class Channel {
  readonly joined = new Set<ChannelUser>()
  readonly waiting = new Set<ChannelUser>()
  isJoined = false
  /** The reason of upstream's refusal. Later joins get it at once, without asking upstream again. */
  refusal: Error | undefined

  get isEmpty(): boolean {
    return this.joined.size === 0 && this.waiting.size === 0
  }
}

/** The joins of all users of a relay: each topic is joined upstream once, while anybody wants it. */
export class Channels {
  readonly #byTopic = new Map<Topic, Channel>()
  /** Topics without users that stay joined, and since when; the oldest first. */
  readonly #lingering = new Map<Topic, number>()
  readonly #keeper: Joins | undefined
  #connection: AbortSignal = AbortSignal.abort()
  #sweeping: ReturnType<typeof setTimeout> | undefined

  constructor(upstream: Transport | undefined) {
    const joinChanged = (topic: Topic, change: JoinChange) => this.#changed(topic, change)
    // A failed join is reported to its users by `refused`; an overdue one by their own deadlines.
    this.#keeper = upstream && keepJoins(upstream, { joinChanged, failed() {} })
  }

  /** Returns the users that have joined a topic. */
  usersOf(topic: Topic): ReadonlySet<ChannelUser> | undefined {
    return this.#byTopic.get(topic)?.joined
  }

  /** Asks for a topic. The answer may come before this returns. */
  join(topic: Topic, user: ChannelUser): void {
    const channel = this.#byTopic.get(topic) ?? new Channel()
    this.#byTopic.set(topic, channel)
    if (channel.refusal !== undefined) {
      this.#lingering.delete(topic) // its time starts anew
      this.#release(topic, channel)
      return user.refused(topic, channel.refusal)
    }
    this.#lingering.delete(topic)
    channel.waiting.add(user)
    if (channel.isJoined || this.#keeper === undefined) this.#changed(topic, 'joined')
    else this.#keeper.want(topic)
  }

  /** Ends a join, confirmed or not: the user hears no more of the topic. */
  leave(topic: Topic, user: ChannelUser): void {
    const channel = this.#byTopic.get(topic)
    if (channel === undefined) return
    const wasUser = channel.joined.delete(user) || channel.waiting.delete(user)
    if (wasUser && channel.isEmpty) this.#release(topic, channel)
  }

  /** Upstream is open until the signal aborts: what is wanted is joined there. */
  connect(connection: AbortSignal): void {
    this.#connection = connection
    this.#keeper?.connect(connection)
    this.#sweep()
  }

  /** Upstream is gone, and every join with it; the users have left, or are told by its end. */
  disconnect(cause: unknown): void {
    clearTimeout(this.#sweeping)
    this.#keeper?.disconnect(cause)
    for (const [topic, channel] of this.#byTopic) {
      channel.joined.clear()
      channel.waiting.clear()
      this.#release(topic, channel)
    }
  }

  /** Closed on purpose: nothing is joined when it is opened again. */
  clear(): void {
    for (const topic of [...this.#byTopic.keys()]) this.#forget(topic)
  }

  /** Upstream could not be opened: no join was to blame for that. */
  forgive(): void {
    this.#keeper?.forgive()
  }

  /** Upstream ended a join by itself. */
  left(topic: Topic, cause: Error): void {
    const channel = this.#byTopic.get(topic)
    if (channel === undefined) return
    const users = [...channel.joined]
    channel.joined.clear()
    this.#keeper?.left(topic, cause)
    for (const user of users) user.left(topic, cause)
    if (channel.isEmpty) this.#release(topic, channel)
  }

  #changed(topic: Topic, change: JoinChange): void {
    const channel = this.#byTopic.get(topic)
    if (channel === undefined) return
    channel.isJoined = change === 'joined'
    if (change === 'left') return
    channel.refusal = change === 'joined' ? undefined : change
    const asked = [...channel.waiting]
    channel.waiting.clear()
    for (const user of asked) {
      if (change !== 'joined') user.refused(topic, change)
      else {
        channel.joined.add(user)
        user.joined(topic)
      }
    }
    if (channel.isEmpty) this.#release(topic, channel)
  }

  /** Leaves a topic that nobody listens to, unless its pages will come back or upstream refuses it. */
  #release(topic: Topic, channel: Channel): void {
    if (
      this.#keeper === undefined ||
      !(this.#connection.aborted || channel.refusal || this.#lingering.has(topic))
    ) {
      return this.#forget(topic)
    }
    if (!this.#lingering.has(topic)) this.#lingering.set(topic, performance.now())
    const [oldest] = this.#lingering.size > MAX_LINGERING ? this.#lingering.keys() : []
    if (oldest !== undefined) this.#forget(oldest)
    this.#sweep()
  }

  #forget(topic: Topic): void {
    this.#lingering.delete(topic)
    this.#byTopic.delete(topic)
    this.#keeper?.unwant(topic)
  }

  /** Forgets topics whose pages did not come back; looks again while there are any. */
  #sweep(): void {
    clearTimeout(this.#sweeping)
    if (this.#connection.aborted) return
    const nowMs = performance.now()
    for (const [topic, sinceMs] of this.#lingering) {
      if (nowMs - sinceMs < LINGER_MS) break
      this.#forget(topic)
    }
    if (this.#lingering.size === 0) return
    this.#sweeping = setTimeout(() => this.#sweep(), LINGER_MS)
    ;(this.#sweeping as { unref?(): void }).unref?.()
  }
}
