import type { LeakyBucket } from 'rivulet/adapter'
import { checkFrame, messagesOfSize } from './frame-check.ts'
import type { Buckets } from './page-buckets.ts'
import { type PageTopic, readPageTopic } from './page-topic.ts'
import type { PageLimits } from './pages-options.ts'
import { REMOVALS_PER_SECOND, receivingBucket } from './rate-gate.ts'
import type { RelayPort } from './relay/guest.ts'
import type { PageSession } from './session.ts'

/** So many streams that a page publishes on have a bucket of their own at a time: up to 4 KB each, with the topic. */
const MAX_STREAMS = 1_024
/** So many are remembered while their bucket is empty. */
const MAX_IDLE_STREAMS = 16

interface PublishedStream extends PageTopic {
  readonly bucket: LeakyBucket
}

/** Checks the frames of one page before anybody gets them. */
export class PageFrames {
  readonly #hub: string
  readonly #prefixes: ReadonlySet<string>
  readonly #limits: PageLimits
  readonly #port: RelayPort
  readonly #sender: object
  readonly #streams = new Map<string, PublishedStream>()
  readonly #buckets: Buckets

  /** `prefixes`: those of the page's sids. `sender`: the page, as the relay knows it. */
  constructor(
    hub: string,
    prefixes: readonly string[],
    limits: PageLimits,
    buckets: Buckets,
    port: RelayPort,
    sender: object,
  ) {
    this.#hub = hub
    this.#prefixes = new Set(prefixes)
    this.#limits = limits
    this.#port = port
    this.#sender = sender
    this.#buckets = buckets
  }

  /** Passes a frame on, or says in words why it is refused. `'offline'`: upstream did not take it. */
  take(topic: string, frame: Uint8Array, session: PageSession): { refusal: string } | 'sent' | 'offline' {
    const named = this.#streams.get(topic) ?? readPageTopic(topic, this.#hub)
    if (named === undefined) return { refusal: 'the topic is none of this hub' }
    if (frame.length > this.#port.capabilities.maxFrameBytes(named.topic)) {
      return { refusal: 'it is too large for the transport upstream' }
    }
    const nowMs = performance.now()
    const refusal = session.isTrusted ? undefined : this.#whyNot(named, frame, session, nowMs)
    if (refusal !== undefined) return { refusal }
    const outcome = this.#port.send(named.topic, frame, this.#sender)
    return outcome === 'congested' ? { refusal: 'too much is on its way to the broker' } : outcome
  }

  /** Whether the page published on a topic a moment ago. */
  hasSentOn(topic: string): boolean {
    return this.#streams.has(topic)
  }

  /** Forgets streams that the page has not published on for a while: a new bucket is as good as an empty one. */
  forgetIdle(nowMs: number): void {
    const { ratePerSecond, burst } = this.#limits
    const capacity = receivingBucket(ratePerSecond, burst).available(nowMs)
    const isFull = this.#streams.size >= MAX_STREAMS
    for (const [topic, { bucket }] of this.#streams) {
      const isIdle = bucket.available(nowMs) >= capacity
      if (this.#streams.size <= MAX_IDLE_STREAMS || !(isIdle || isFull)) return
      if (isIdle) this.#streams.delete(topic)
    }
  }

  #whyNot(
    { topic, streamName }: PageTopic,
    frame: Uint8Array,
    session: PageSession,
    nowMs: number,
  ): string | undefined {
    const { maxBytes, maxMessagesPerSecond, ratePerSecond } = this.#limits
    const { messages: all, removals } = this.#buckets
    // Before the frame is looked into, so that a flood costs little. A refused frame is charged by its size, too.
    if (!all.hasCapacity(nowMs)) return `more than ${maxMessagesPerSecond} messages a second`
    const charged = Math.max(1, messagesOfSize(frame, maxBytes))
    fill(all, charged, nowMs)
    const checked = checkFrame(frame, maxBytes)
    if (typeof checked === 'string') return checked
    const { prefix, messages, isRemoval } = checked
    if (!this.#prefixes.has(prefix)) return 'the sid does not begin with a prefix of this page'
    const action = isRemoval ? 'remove' : 'publish'
    if (!session.may(action, streamName)) return `no permission to ${action}`
    if (isRemoval) {
      if (!removals.take(nowMs)) return `more than ${REMOVALS_PER_SECOND} removals a second`
      return undefined
    }
    const bucket = this.#bucketOf({ topic, streamName }, nowMs)
    if (bucket === undefined) return 'too many streams at once'
    if (bucket.available(nowMs) < messages) return `more than ${ratePerSecond} messages a second on a stream`
    fill(bucket, messages, nowMs)
    fill(all, messages - charged, nowMs)
    return undefined
  }

  /** Returns the bucket of a stream; `undefined` while as many others as there may be are not empty again. */
  #bucketOf({ topic, streamName }: PageTopic, nowMs: number): LeakyBucket | undefined {
    const { ratePerSecond, burst } = this.#limits
    const known = this.#streams.get(topic)
    if (known === undefined) {
      this.forgetIdle(nowMs)
      if (this.#streams.size >= MAX_STREAMS) return undefined
    }
    const stream = known ?? { topic, streamName, bucket: receivingBucket(ratePerSecond, burst) }
    this.#streams.delete(topic) // so that those used last are looked at last
    this.#streams.set(topic, stream)
    return stream.bucket
  }
}

function fill(bucket: LeakyBucket, messages: number, nowMs: number): void {
  for (let nth = 0; nth < messages; nth++) bucket.fill(nowMs)
}
