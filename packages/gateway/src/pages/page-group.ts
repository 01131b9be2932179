import { encodeTopical, KIND } from '@rivulet/websocket/protocol'
import type { Topic } from 'rivulet'
import type { MutableCounts } from './page-counts.ts'
import type { PageLimits } from './pages-options.ts'
import { RateGate } from './rate-gate.ts'
import type { RelayGuest, RelayPort } from './relay/guest.ts'
import type { Relay } from './relay/relay.ts'

/** A page, as its group sees it. */
export interface GroupPage {
  /** Whether what it gets is not limited in rate. */
  readonly isTrusted: boolean
  /** Frames pass from now on. */
  opened(): void
  /** Frames pass no more. */
  relayEnded(reason: 'away' | 'closed'): void
  joined(topic: Topic): void
  refused(topic: Topic, cause: Error): void
  left(topic: Topic, cause: Error): void
  /** Upstream refused something on a topic, perhaps a frame of this page. */
  failed(topic: Topic): void
  /** Takes a message with a frame in it; the bytes are shared. */
  give(message: Uint8Array): void
}

/** The pages that listen to one topic, or wait for its join. */
class Listeners {
  readonly topic: Topic
  readonly listening = new Set<GroupPage>()
  readonly waiting = new Set<GroupPage>()
  readonly gate: RateGate
  isJoined = false

  constructor(topic: Topic, limits: PageLimits) {
    this.topic = topic
    this.gate = new RateGate(limits)
  }

  get isEmpty(): boolean {
    return this.listening.size === 0 && this.waiting.size === 0
  }
}

/** The pages of one relay. Each topic is asked of it once, and each frame is encoded once for all of them. */
export class PageGroup implements RelayGuest {
  readonly relay: Relay
  readonly port: RelayPort
  readonly #limits: PageLimits
  readonly #counts: MutableCounts
  readonly #pages = new Set<GroupPage>()
  readonly #listeners = new Map<Topic, Listeners>()

  constructor(relay: Relay, limits: PageLimits, counts: MutableCounts) {
    this.relay = relay
    this.#limits = limits
    this.#counts = counts
    this.port = relay.attach(this)
  }

  get isEmpty(): boolean {
    return this.#pages.size === 0
  }

  /** Takes a page in, which is notified when frames pass: at once when they do. */
  enter(page: GroupPage): void {
    this.#pages.add(page)
    if (this.port.isOpen) page.opened()
  }

  /** The page is gone, and has left its topics. */
  exit(page: GroupPage): void {
    this.#pages.delete(page)
  }

  /** Returns the string of an equal topic that was joined, if there is one: a topic may have 3 KB, and many pages. */
  topicLike(topic: Topic): Topic {
    return this.#listeners.get(topic)?.topic ?? topic
  }

  /** Asks for a topic. The page may be notified before this returns. */
  join(topic: Topic, page: GroupPage): void {
    let listeners = this.#listeners.get(topic)
    if (listeners?.isJoined) {
      listeners.listening.add(page)
      return page.joined(topic)
    }
    listeners ??= new Listeners(topic, this.#limits)
    listeners.waiting.add(page)
    this.#listeners.set(topic, listeners)
    this.port.join(topic)
  }

  leave(topic: Topic, page: GroupPage): void {
    const listeners = this.#listeners.get(topic)
    if (listeners === undefined) return
    listeners.listening.delete(page)
    listeners.waiting.delete(page)
    if (!listeners.isEmpty) return
    this.#listeners.delete(topic)
    this.port.leave(topic)
  }

  opened(): void {
    for (const page of [...this.#pages]) page.opened()
  }

  ended(reason: 'away' | 'closed'): void {
    for (const page of [...this.#pages]) page.relayEnded(reason)
  }

  joined(topic: Topic): void {
    const listeners = this.#listeners.get(topic)
    if (listeners === undefined) return
    listeners.isJoined = true
    for (const page of listeners.waiting) {
      listeners.listening.add(page)
      page.joined(topic)
    }
    listeners.waiting.clear()
  }

  refused(topic: Topic, cause: Error): void {
    const listeners = this.#listeners.get(topic)
    this.#listeners.delete(topic)
    for (const page of listeners?.waiting ?? []) page.refused(topic, cause)
  }

  left(topic: Topic, cause: Error): void {
    const listeners = this.#listeners.get(topic)
    this.#listeners.delete(topic)
    for (const page of listeners?.listening ?? []) page.left(topic, cause)
  }

  failed(topic: Topic): void {
    for (const page of [...this.#pages]) page.failed(topic)
  }

  receive(topic: Topic, frame: Uint8Array, sender: object | undefined): void {
    const listeners = this.#listeners.get(topic)
    if (listeners === undefined) return
    // Asked once for all pages, and only when one of them listens.
    let isAdmitted: boolean | undefined
    let message: Uint8Array | undefined
    for (const page of listeners.listening) {
      if (page === sender) continue
      if (!page.isTrusted) isAdmitted ??= listeners.gate.admits(frame, performance.now())
      if (!page.isTrusted && !isAdmitted) continue
      message ??= encodeTopical(KIND.frame, topic, frame)
      page.give(message)
    }
    if (isAdmitted === false) this.#counts.dropped++
  }
}
