import type { Capabilities, Topic } from 'rivulet'
import type { TopicUser } from './joined-topics.ts'

/** A group of pages, as a relay sees it. */
export interface RelayGuest extends TopicUser {
  /** The relay is open, and upstream with it. */
  opened(): void
  /** Upstream is gone, or the relay was closed: nothing that was joined is joined any more. */
  ended(reason: 'away' | 'closed'): void
  /** Upstream refused something on a topic. */
  failed(topic: Topic): void
}

/** What a group of pages can do with a relay. */
export interface RelayPort {
  /** Whether the relay is open, and upstream with it. */
  readonly isOpen: boolean
  /** Those of the relay. */
  readonly capabilities: Capabilities
  /** Asks for a topic; the guest is told what becomes of it, perhaps before this returns. */
  join(topic: Topic): void
  /** Ends a join. */
  leave(topic: Topic): void
  /** Gives a page its prefixes. `takenOver` is called when another connection of the same page has them. */
  hold(prefixes: readonly string[], takenOver: () => void): void
  /** The page is gone. `takenOver` is the same function as before. */
  release(prefixes: readonly string[], takenOver: () => void): void
  /** Hands a frame of a page upstream, to the hub and to the other pages. Nobody gets one that is `'offline'`. */
  send(topic: Topic, frame: Uint8Array, sender: object): 'sent' | 'offline'
  /** Calls `answer` when upstream has everything that was sent before; never when upstream fails. */
  barrier(answer: () => void): void
  /** Takes the group out, once it has left its topics. */
  detach(): void
}
