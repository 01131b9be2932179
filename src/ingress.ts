import { decodeFrame, endsWithOrigin, type FrameEntry, maxIncomingBytes } from './frame.ts'
import { LeakyBucket } from './leaky-bucket.ts'
import type { CounterName, Counters } from './ledger.ts'
import { Message, newOrigin } from './message.ts'
import type { ResolvedOptions } from './options.ts'
import { type HubPeers, StreamPeers } from './peers.ts'
import { validate } from './schema.ts'
import { seal } from './seal.ts'
import { encodeUtf8 } from './utf8.ts'

/** What taking frames in needs of the stream. */
export interface IngressPort {
  readonly options: ResolvedOptions
  readonly counters: Counters
  /** The stream's own bucket, when messages from other processes fill it too. */
  readonly sharedBucket: LeakyBucket | undefined
  /** The origin under which this stream publishes, once it has. */
  readonly origin: string | undefined
  /** Whether somebody subscribes. */
  readonly isListening: boolean
  nowMs(): number
  /** Whether an origin is or lately was one of this hub's own streams. */
  isOwn(origin: string): boolean
  /** For how long the connection's barrier has been waiting, in milliseconds. */
  overdueMs(): number
  /** Hands a message to the subscribers; false when too many wait already. */
  deliver(message: Message, nowMs: number): boolean
  /** Another process removed the stream. */
  removedByPeer(): void
}

/** Takes the frames of one stream: nothing that comes from outside is trusted, and every message is counted. */
export class Ingress {
  readonly #port: IngressPort
  readonly #peers: StreamPeers
  readonly #maxFrameBytes: number
  readonly #maxAgeMs: number
  /** Filled by frames in which nothing can be delivered, so that garbage cannot silence the stream. */
  readonly #garbage: LeakyBucket | undefined
  /** Counts the joins: gaps in the numbers are counted within one. */
  #join = 0
  #foreignOrigin: string | undefined
  #foreignSequence = 0

  constructor(port: IngressPort, hubPeers: HubPeers) {
    const { maxBytes, maxAgeMs, limit } = port.options
    this.#port = port
    this.#peers = new StreamPeers(hubPeers)
    this.#maxFrameBytes = maxIncomingBytes(maxBytes)
    this.#maxAgeMs = maxAgeMs === false ? Number.POSITIVE_INFINITY : maxAgeMs
    if (limit !== false && port.sharedBucket !== undefined) {
      this.#garbage = new LeakyBucket(limit.ratePerSecond, limit.burst, port.nowMs())
    }
  }

  /** What comes from now on belongs to another join. */
  startJoin(): void {
    this.#join++
  }

  /** Forgets every origin. */
  close(): void {
    this.#peers.clear()
  }

  /** Takes one frame. Never throws. */
  receive(frame: Uint8Array | string): void {
    const port = this.#port
    const bytes = typeof frame === 'string' ? encodeUtf8(frame) : frame
    if (bytes.length > this.#maxFrameBytes) return this.#dropFrame('droppedMalformed')
    if (port.origin !== undefined && endsWithOrigin(bytes, port.origin)) return this.#dropFrame('droppedEcho')
    const nowMs = port.nowMs()
    if (!this.#hasRoom(nowMs)) return this.#dropFrame('droppedRateLimited')
    const decoded = decodeFrame(bytes)
    if (decoded === undefined) {
      this.#garbage?.take(nowMs)
      return this.#dropFrame('droppedMalformed')
    }
    const isUseful =
      'entries' in decoded
        ? this.#takeEntries(decoded.entries, nowMs)
        : this.#takeRemoval(decoded.removedBy, nowMs)
    if (!isUseful) this.#garbage?.take(nowMs)
  }

  #hasRoom(nowMs: number): boolean {
    const { sharedBucket } = this.#port
    if (sharedBucket === undefined || this.#garbage === undefined) return true
    return sharedBucket.hasRoom(nowMs, sharedBucket.remoteCeiling) && this.#garbage.hasRoom(nowMs)
  }

  #dropFrame(bucket: CounterName): void {
    this.#port.counters.count('received')
    this.#port.counters.count(bucket)
  }

  /** Tells whether anything in the frame could be delivered, if only there is room. */
  #takeEntries(entries: readonly (FrameEntry | undefined)[], nowMs: number): boolean {
    let isUseful = false
    for (const entry of entries) {
      this.#port.counters.count('received')
      const outcome = this.#take(entry, nowMs)
      this.#port.counters.count(outcome)
      isUseful ||= outcome === 'delivered' || outcome === 'droppedRateLimited'
    }
    return isUseful
  }

  /** Takes one message and tells which counter it belongs to. */
  #take(entry: FrameEntry | undefined, nowMs: number): CounterName {
    const port = this.#port
    if (!port.isListening) return 'droppedNotJoined'
    if (entry === undefined) return 'droppedMalformed'
    if (entry.origin !== undefined && port.isOwn(entry.origin)) return 'droppedEcho'
    const filtered = this.#filter(entry, nowMs)
    if (filtered !== undefined) return filtered
    const { data } = entry
    const sealed = seal(data, port.options.maxBytes)
    if (sealed !== 'sealed') return sealed === 'malformed' ? 'droppedMalformed' : 'droppedTooLarge'
    const checked = this.#checkSchema(data)
    if (checked === undefined) return 'droppedSchema'
    const { sharedBucket } = port
    if (sharedBucket !== undefined && !sharedBucket.take(nowMs, sharedBucket.remoteCeiling))
      return 'droppedRateLimited'
    return port.deliver(this.#messageOf(entry, checked.value), nowMs) ? 'delivered' : 'droppedRateLimited'
  }

  /** Applies what is known of the publisher: repeats, age, and gaps in its numbers. */
  #filter({ origin, sequence, tMs }: FrameEntry, arrivalMs: number): CounterName | undefined {
    const mayBeOld = this.#port.overdueMs() >= this.#maxAgeMs
    if (origin === undefined) return mayBeOld ? 'droppedStale' : undefined
    const peer = this.#peers.of(origin)
    const verdict = peer.judge({
      sequence,
      tMs,
      arrivalMs,
      maxAgeMs: this.#maxAgeMs,
      join: this.#join,
      mayBeOld,
    })
    if (peer.gapChange !== 0) this.#port.counters.count('missed', peer.gapChange)
    if (peer.isReordered) this.#port.counters.count('reordered')
    return DROPPED[verdict]
  }

  #checkSchema(data: object): { value: unknown } | undefined {
    const { schema } = this.#port.options
    if (schema === undefined) return { value: data }
    try {
      return { value: validate(schema, data) }
    } catch {
      return undefined
    }
  }

  #messageOf({ origin, sequence }: FrameEntry, data: unknown): Message {
    if (origin !== undefined) return new Message(data, false, origin, sequence)
    this.#foreignOrigin ??= newOrigin()
    return new Message(data, false, this.#foreignOrigin, ++this.#foreignSequence)
  }

  /** A removal is no message: it is not counted unless it was dropped unread. Tells whether it ended the stream. */
  #takeRemoval({ origin, sequence }: { origin: string; sequence: number }, arrivalMs: number): boolean {
    if (this.#port.isOwn(origin)) return false
    const judged = this.#peers.of(origin).judge({
      ...{ sequence, tMs: undefined, arrivalMs, maxAgeMs: this.#maxAgeMs, join: this.#join },
      mayBeOld: this.#port.overdueMs() >= this.#maxAgeMs,
    })
    if (judged !== 'deliver') return false
    this.#port.removedByPeer()
    return true
  }
}

const DROPPED = {
  deliver: undefined,
  duplicate: 'droppedDuplicate',
  stale: 'droppedStale',
  malformed: 'droppedMalformed',
} as const
