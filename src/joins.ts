import { withDeadline } from './deadline.ts'
import type { Topic } from './topic.ts'
import type { Transport } from './transport.ts'

/** A join that is not confirmed within this is overdue. */
const JOIN_TIMEOUT_MS = 2_000
const RETRY_MS = 1_000

/** A stream that wants the frames of its topic while somebody subscribes. */
export interface Member {
  readonly topic: Topic
  /** The broker has confirmed: what others send from now on arrives. */
  joined(): void
  /** The broker refused, or its answer is `Overdue`. The join is tried again. */
  joinFailed(cause: Error): void
  /** Frames do not arrive any more: the connection is gone. */
  left(): void
  /** Takes a frame of the topic. */
  receive(frame: Uint8Array | string): void
}

/** How a topic stands: who wants it, if still somebody does, and what the broker was told. */
class Join {
  member: Member | undefined
  state: 'out' | 'joining' | 'in' = 'out'
  abort = new AbortController()
  retry: ReturnType<typeof setTimeout> | undefined
}

/** Keeps the topics of a connection joined for the streams that want them: at most one join a topic. */
export class Joins {
  readonly #transport: Transport
  readonly #byTopic = new Map<Topic, Join>()
  #isUp = false

  constructor(transport: Transport) {
    this.#transport = transport
  }

  get size(): number {
    return this.#byTopic.size
  }

  /** Returns the stream that takes the frames of a topic: it wants them, and has joined or is joining. */
  memberOf(topic: Topic): Member | undefined {
    const join = this.#byTopic.get(topic)
    return join?.state === 'out' ? undefined : join?.member
  }

  want(member: Member): void {
    const join = this.#byTopic.get(member.topic) ?? new Join()
    this.#byTopic.set(member.topic, join)
    join.member = member
    if (join.state === 'in') member.joined()
    else this.#soon(member.topic, join)
  }

  unwant(member: Member): void {
    const join = this.#byTopic.get(member.topic)
    if (join?.member !== member) return
    join.member = undefined
    this.#soon(member.topic, join)
  }

  /** Joins everything that is wanted; resolves when each is confirmed, refused or overdue. */
  async connect(): Promise<void> {
    this.#isUp = true
    await Promise.all([...this.#byTopic].map(([topic, join]) => this.#settle(topic, join)))
  }

  /** The connection is gone, and every join with it. */
  disconnect(): void {
    this.#isUp = false
    for (const join of this.#byTopic.values()) {
      clearTimeout(join.retry)
      join.abort.abort()
      join.state = 'out'
      join.member?.left()
    }
  }

  /** The broker ended a join: it is made again. */
  left(topic: Topic, cause: Error): void {
    const join = this.#byTopic.get(topic)
    if (join?.state !== 'in') return
    join.member?.left()
    this.#failed(topic, join, cause)
  }

  /** Waits for the end of the tick, so that a subscription that comes and goes at once costs nothing. */
  #soon(topic: Topic, join: Join): void {
    queueMicrotask(() => void this.#settle(topic, join))
  }

  /** Brings one topic to where it is wanted to be. */
  async #settle(topic: Topic, join: Join): Promise<void> {
    clearTimeout(join.retry)
    if (join.member !== undefined) {
      if (this.#isUp && join.state === 'out') await this.#join(topic, join)
      return
    }
    if (join.state !== 'out') {
      join.abort.abort()
      join.state = 'out'
      this.#transport.leave(topic)
    }
    if (this.#byTopic.get(topic) === join) this.#byTopic.delete(topic)
  }

  async #join(topic: Topic, join: Join): Promise<void> {
    join.abort = new AbortController()
    const { signal } = join.abort
    join.state = 'joining'
    const task = (deadline: AbortSignal) => this.#transport.join(topic, deadline)
    try {
      await withDeadline(`Joining ${topic}`, JOIN_TIMEOUT_MS, signal, task)
      if (signal.aborted) return
      join.state = 'in'
      join.member?.joined()
    } catch (error) {
      if (!signal.aborted) this.#failed(topic, join, error as Error)
    }
  }

  #failed(topic: Topic, join: Join, cause: Error): void {
    join.state = 'out'
    this.#transport.leave(topic)
    join.member?.joinFailed(cause)
    join.retry = setTimeout(() => void this.#settle(topic, join), RETRY_MS)
  }
}
