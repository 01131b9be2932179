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

/** The outcome of sending a frame. `'congested'`: too much is on its way upstream already. */
export type SendOutcome = 'sent' | 'offline' | 'congested'

/** Called while barriers wait for upstream, which makes progress. `isCongested`: send nothing more meanwhile. */
export type Waits = (isCongested: boolean) => void

/** The side of a relay that a group of pages uses. */
export interface RelayPort {
  /** Whether the relay is open, and upstream with it. */
  readonly isOpen: boolean
  /** Those of the relay. */
  readonly capabilities: Capabilities
  /** Asks for a topic; the guest receives the outcome, perhaps before this returns. */
  join(topic: Topic): void
  /** Ends a join. */
  leave(topic: Topic): void
  /** Gives a page its prefixes. `takenOver` is called when another connection of the same page has them. */
  hold(prefixes: readonly string[], takenOver: () => void): void
  /** The page is gone. `takenOver` is the same function as before. */
  release(prefixes: readonly string[], takenOver: () => void): void
  /** Hands a frame of a page upstream, to the hub and to the other pages. A frame that was not sent upstream reaches neither. */
  send(topic: Topic, frame: Uint8Array, sender: object): SendOutcome
  /**
   * Calls `answer` when upstream has everything that was sent before; never when upstream fails. Until then `waits` is
   * called now and then while upstream makes progress: the same function once for all barriers that wait.
   */
  barrier(answer: () => void, waits?: Waits): void
  /** Takes the group out, once it has left its topics. */
  detach(): void
}
