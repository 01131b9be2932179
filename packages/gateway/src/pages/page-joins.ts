import { encodeNumbered, encodeTopical, KIND } from '@rivulet/websocket/protocol'
import type { Topic } from 'rivulet'
import { streamNameOf } from 'rivulet/adapter'
import type { PageContext } from './page-context.ts'
import type { GroupPage, PageGroup } from './page-group.ts'
import { readPageTopic } from './page-topic.ts'
import type { PageSession } from './session.ts'

const NO_PERMISSION = 'no permission to listen'

interface Join {
  id: number
  isJoined: boolean
  /** Under which it is counted, if it is. */
  readonly identity: string | undefined
}

/** The topics that one page listens to, or has asked for. */
export class PageJoins {
  readonly #hub: string
  readonly #page: GroupPage
  readonly #group: PageGroup
  readonly #context: PageContext
  readonly #answer: (message: Uint8Array) => void
  readonly #byTopic = new Map<Topic, Join>()

  constructor(
    hub: string,
    page: GroupPage,
    group: PageGroup,
    context: PageContext,
    answer: (message: Uint8Array) => void,
  ) {
    this.#hub = hub
    this.#page = page
    this.#group = group
    this.#context = context
    this.#answer = answer
  }

  /** The page asks for a topic. Asked again for one that it has, the answer bears the new number. */
  join(id: number, text: string, session: PageSession): void {
    const { maxJoinsPerPage, maxJoinsPerIdentity } = this.#context.limits
    const named = readPageTopic(text, this.#hub)
    if (named === undefined) return this.#refuse(id, 'the topic is none of this hub')
    const { streamName } = named
    const topic = this.#group.topicLike(named.topic)
    if (!session.may('listen', streamName)) return this.#refuse(id, NO_PERMISSION)
    const known = this.#byTopic.get(topic)
    if (known !== undefined) {
      known.id = id
      if (known.isJoined) this.joined(topic)
    } else if (this.#byTopic.size >= maxJoinsPerPage) {
      this.#refuse(id, `more than ${maxJoinsPerPage} streams`)
    } else if (!session.isTrusted && this.#context.identityJoins.isUsedUp(session.identity)) {
      this.#refuse(id, `more than ${maxJoinsPerIdentity} streams on all pages of this identity`)
    } else {
      // A renewed session has the same identity, but may be trusted or not.
      const identity = session.isTrusted ? undefined : session.identity
      if (identity !== undefined) this.#context.identityJoins.add(identity)
      this.#byTopic.set(topic, { id, isJoined: false, identity })
      this.#context.counts.joins++
      this.#group.join(topic, this.#page)
    }
  }

  /** The page leaves a topic, confirmed or not. */
  leave(topic: Topic): void {
    if (this.#forget(topic) !== undefined) this.#group.leave(topic, this.#page)
  }

  /** Ends the joins that a new session does not allow. */
  endForbidden(session: PageSession): void {
    for (const [topic, { id, isJoined }] of [...this.#byTopic]) {
      if (session.may('listen', streamNameOf(topic))) continue
      this.leave(topic)
      if (isJoined) this.#answer(encodeTopical(KIND.left, topic, NO_PERMISSION))
      else this.#refuse(id, NO_PERMISSION)
    }
  }

  /** The page is gone. */
  leaveAll(): void {
    for (const topic of [...this.#byTopic.keys()]) this.leave(topic)
  }

  joined(topic: Topic): void {
    const join = this.#byTopic.get(topic)
    if (join === undefined) return
    join.isJoined = true
    this.#answer(encodeNumbered(KIND.joined, join.id))
  }

  refused(topic: Topic, cause: Error): void {
    const join = this.#forget(topic)
    if (join !== undefined) this.#refuse(join.id, cause.message)
  }

  left(topic: Topic, cause: Error): void {
    if (this.#forget(topic) !== undefined) this.#answer(encodeTopical(KIND.left, topic, cause.message))
  }

  #refuse(id: number, reason: string): void {
    this.#context.counts.refused++
    this.#answer(encodeNumbered(KIND.refused, id, reason))
  }

  #forget(topic: Topic): Join | undefined {
    const join = this.#byTopic.get(topic)
    if (join === undefined) return undefined
    const { counts, identityJoins } = this.#context
    this.#byTopic.delete(topic)
    counts.joins--
    if (join.identity !== undefined) identityJoins.delete(join.identity)
    return join
  }
}
