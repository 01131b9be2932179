import { LeakyBucket } from 'rivulet/transport'
import { type PrefixHolder, prefixOf } from '../relay/prefixes.ts'
import type { RelayPort } from '../relay/relay.ts'
import { checkFrame } from './frame-check.ts'
import { type PageTopic, readPageTopic } from './page-topic.ts'
import type { Limits } from './pages-options.ts'
import { REMOVALS_PER_SECOND, receivingBucket } from './rate-gate.ts'
import type { PageSession } from './session.ts'

/** How many prefixes a page may bind: its hub takes another one after 65 536 streams. */
const MAX_PREFIXES = 4
/** So many streams that a page publishes on have a bucket of their own at a time. */
const MAX_STREAMS = 256

interface PublishedStream extends PageTopic {
  readonly bucket: LeakyBucket
}

/** Checks the frames of one page before anybody gets them. */
export class PageFrames {
  readonly #hub: string
  readonly #proven: ReadonlySet<string>
  readonly #limits: Limits
  readonly #port: RelayPort
  readonly #holder: PrefixHolder
  readonly #bound: (prefix: string) => void
  readonly #prefixes = new Set<string>()
  readonly #streams = new Map<string, PublishedStream>()
  readonly #all: LeakyBucket
  readonly #removals = new LeakyBucket(REMOVALS_PER_SECOND, REMOVALS_PER_SECOND)

  /** `proven`: prefixes that are known to be the page's. `bound` is told of each that is bound to it now. */
  constructor(
    hub: string,
    proven: ReadonlySet<string>,
    limits: Limits,
    port: RelayPort,
    holder: PrefixHolder,
    bound: (prefix: string) => void,
  ) {
    this.#hub = hub
    this.#proven = proven
    this.#limits = limits
    this.#port = port
    this.#holder = holder
    this.#bound = bound
    this.#all = receivingBucket(limits.maxMessagesPerSecond, limits.maxMessagesPerSecond)
  }

  /** Passes a frame on, or says in words why it is refused. `'offline'`: upstream did not take it. */
  take(topic: string, frame: Uint8Array, session: PageSession): { refusal: string } | 'sent' | 'offline' {
    const stream = this.#streamOf(topic)
    if (stream === undefined) return { refusal: 'the topic is none of this hub' }
    if (frame.length > this.#port.capabilities.maxFrameBytes(stream.topic)) {
      return { refusal: 'it is too large for the transport upstream' }
    }
    const nowMs = performance.now()
    const refusal = session.isTrusted ? this.#note(frame) : this.#whyNot(stream, frame, session, nowMs)
    return refusal === undefined ? this.#port.send(stream.topic, frame, this.#holder) : { refusal }
  }

  /** The page is gone. */
  release(): void {
    for (const prefix of this.#prefixes) this.#port.release(prefix, this.#holder)
    this.#prefixes.clear()
  }

  #whyNot(
    stream: PublishedStream,
    frame: Uint8Array,
    session: PageSession,
    nowMs: number,
  ): string | undefined {
    const { maxBytes, maxMessagesPerSecond, ratePerSecond } = this.#limits
    // Before the frame is looked into, so that a flood costs little.
    if (!this.#all.hasRoom(nowMs)) return `more than ${maxMessagesPerSecond} messages a second`
    const checked = checkFrame(frame, maxBytes)
    this.#all.fill(nowMs)
    if (typeof checked === 'string') return checked
    const { prefix, messages, isRemoval } = checked
    const action = isRemoval ? 'remove' : 'publish'
    if (!session.may(action, stream.streamName)) return `no permission to ${action}`
    if (isRemoval && !this.#removals.take(nowMs)) return `more than ${REMOVALS_PER_SECOND} removals a second`
    if (!isRemoval && stream.bucket.available(nowMs) < messages) {
      return `more than ${ratePerSecond} messages a second on a stream`
    }
    const unbound = this.#bind(prefix)
    if (unbound !== undefined) return unbound
    for (let nth = 0; !isRemoval && nth < messages; nth++) stream.bucket.fill(nowMs)
    for (let nth = 1; nth < messages; nth++) this.#all.fill(nowMs)
    return undefined
  }

  #bind(prefix: string): string | undefined {
    if (this.#prefixes.has(prefix)) return undefined
    if (this.#prefixes.size >= MAX_PREFIXES) return `more than ${MAX_PREFIXES} prefixes of sids`
    const refusal = this.#port.bind(prefix, this.#holder, this.#proven.has(prefix))
    if (refusal !== undefined) return refusal
    this.#prefixes.add(prefix)
    this.#bound(prefix)
    return undefined
  }

  /** A trusted page's prefix is noted where there is one, so that what an echoing broker brings back is known. */
  #note(frame: Uint8Array): undefined {
    const prefix = prefixOf(frame)
    if (prefix !== undefined) this.#bind(prefix)
  }

  #streamOf(text: string): PublishedStream | undefined {
    const known = this.#streams.get(text)
    if (known !== undefined) return known
    const named = readPageTopic(text, this.#hub)
    if (named === undefined) return undefined
    const { ratePerSecond, burst } = this.#limits
    const stream = { ...named, bucket: receivingBucket(ratePerSecond, burst) }
    this.#streams.set(text, stream)
    const [oldest] = this.#streams.size > MAX_STREAMS ? this.#streams.keys() : []
    if (oldest !== undefined) this.#streams.delete(oldest)
    return stream
  }
}
