import type { Topic, Transport } from 'rivulet'
import { type JoinChange, type Joins, keepJoins } from 'rivulet/adapter'
import { unref } from '../../base/unref.ts'

/** A topic without listeners is kept joined so long when upstream failed: its pages come back. */
const LINGER_MS = 60_000
const MAX_LINGERING = 4_096
/** Upstream is asked again for a topic that it refused after so long, if a user asks; doubled each time. */
const REFUSED_MS = 1_000
const LONGEST_REFUSED_MS = 60_000

/** Receives the outcomes and the frames of the topics that it asked for. The same object for all of them. */
export interface TopicUser {
  /** Frames that are sent from now on arrive. */
  joined(topic: Topic): void
  /** The join was refused: it is over, and may be asked for again. */
  refused(topic: Topic, cause: Error): void
  /** Upstream ended the join: it is over, and may be asked for again. */
  left(topic: Topic, cause: Error): void
  /** Takes a frame of a topic that was joined; `sender` is the page that sent it, if one of this user did. */
  receive(topic: Topic, frame: Uint8Array, sender: object | undefined): void
}

/** One topic that has listeners here, or had some a moment ago. */
class JoinedTopic {
  readonly users = new Set<TopicUser>()
  readonly waiting = new Set<TopicUser>()
  /** The reason of upstream's refusal. Joins until `#refusedUntilMs` get it at once, without asking upstream. */
  #refusal: Error | undefined
  #refusedUntilMs = 0
  #refusals = 0

  get isRefused(): boolean {
    return this.#refusal !== undefined
  }

  /** Whether the keeper has it back off, since it costs the connection, and asks again by itself. */
  get isHeld(): boolean {
    return this.isRefused && this.#refusedUntilMs === Infinity
  }

  get isEmpty(): boolean {
    return this.users.size === 0 && this.waiting.size === 0
  }

  refusalAt(nowMs: number): Error | undefined {
    return nowMs < this.#refusedUntilMs ? this.#refusal : undefined
  }

  refuse(cause: Error, nowMs: number, isHeld: boolean): void {
    const waitMs = Math.min(REFUSED_MS * 2 ** this.#refusals, LONGEST_REFUSED_MS)
    this.#refusal = cause
    this.#refusals++
    this.#refusedUntilMs = isHeld ? Infinity : nowMs + waitMs
  }

  accept(): void {
    this.#refusal = undefined
    this.#refusals = 0
  }
}

/** The joins of all users of a relay: each topic is joined upstream once, while anybody wants it. */
export class JoinedTopics {
  readonly #byTopic = new Map<Topic, JoinedTopic>()
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
  usersOf(topic: Topic): ReadonlySet<TopicUser> | undefined {
    return this.#byTopic.get(topic)?.users
  }

  /** Asks for a topic. The answer may come before this returns. */
  join(topic: Topic, user: TopicUser): void {
    const entry = this.#byTopic.get(topic) ?? new JoinedTopic()
    this.#byTopic.set(topic, entry)
    const refusal = entry.refusalAt(performance.now())
    if (refusal !== undefined) {
      this.#lingering.delete(topic) // its time starts anew
      this.#release(topic, entry)
      return user.refused(topic, refusal)
    }
    this.#lingering.delete(topic)
    entry.waiting.add(user)
    if (this.#keeper === undefined) this.#changed(topic, 'joined')
    else this.#keeper.want(topic) // which reports a topic that is joined at once
  }

  /** Ends a join, confirmed or not: the user receives nothing more of the topic. */
  leave(topic: Topic, user: TopicUser): void {
    const entry = this.#byTopic.get(topic)
    if (entry === undefined) return
    const wasUser = entry.users.delete(user) || entry.waiting.delete(user)
    if (wasUser && entry.isEmpty) this.#release(topic, entry)
  }

  /** Upstream is open until the signal aborts: what is wanted is joined there. */
  connect(connection: AbortSignal): void {
    this.#connection = connection
    this.#keeper?.connect(connection)
    this.#sweep()
  }

  /** Upstream is gone, and every join with it; the users have left, or are notified by its end. */
  disconnect(cause: unknown): void {
    clearTimeout(this.#sweeping)
    this.#keeper?.disconnect(cause)
    for (const [topic, entry] of this.#byTopic) {
      entry.users.clear()
      entry.waiting.clear()
      this.#release(topic, entry)
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
    const entry = this.#byTopic.get(topic)
    if (entry === undefined) return
    const users = [...entry.users]
    entry.users.clear()
    this.#keeper?.left(topic, cause)
    for (const user of users) user.left(topic, cause)
  }

  #changed(topic: Topic, change: JoinChange): void {
    const entry = this.#byTopic.get(topic)
    if (entry === undefined) return
    if (change === 'left') return
    if (change === 'joined') entry.accept()
    else entry.refuse(change, performance.now(), this.#connection.aborted)
    const asked = [...entry.waiting]
    entry.waiting.clear()
    // All of them at once: one that ends as it is notified must not take the topic from those that come after it.
    if (change === 'joined') for (const user of asked) entry.users.add(user)
    for (const user of asked) {
      if (change !== 'joined') user.refused(topic, change)
      else if (entry.users.has(user)) user.joined(topic)
    }
    if (entry.isEmpty) this.#release(topic, entry)
  }

  /** Leaves a topic without listeners, unless its pages will come back. A refusal is remembered. */
  #release(topic: Topic, entry: JoinedTopic): void {
    const isRemembered = this.#connection.aborted || entry.isRefused || this.#lingering.has(topic)
    if (this.#keeper === undefined || !isRemembered) return this.#forget(topic)
    if (entry.isRefused && !entry.isHeld && !this.#connection.aborted) this.#keeper.unwant(topic)
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
    unref(this.#sweeping)
  }
}
