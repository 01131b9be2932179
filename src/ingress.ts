import { decodeFrame, endsWithOrigin, type FrameEntry, maxIncomingBytes, tailSid } from './frame.ts'
import { LeakyBucket } from './leaky-bucket.ts'
import type { Counters, DropReason } from './ledger.ts'
import { Message, newOrigin } from './message.ts'
import type { ResolvedOptions } from './options.ts'
import type { Peer, Verdict } from './peer.ts'
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
  /** Whether too many messages wait for the running fan-out to end. */
  readonly isFull: boolean
  nowMs(): number
  /** Whether an origin is or lately was one of this hub's own streams. */
  isOwn(origin: string): boolean
  /** For how long the connection's barrier has been waiting, in milliseconds. */
  overdueMs(): number
  /** Hands a message to the subscribers. */
  deliver(message: Message, nowMs: number): void
  /** Another process removed the stream; tells whether it ends here too. */
  removedByPeer(): boolean
}

/** Takes the frames of one stream: nothing that comes from outside is trusted, and every message is counted. */
export class Ingress {
  readonly #port: IngressPort
  readonly #counters: Counters
  readonly #bucket: LeakyBucket | undefined
  readonly #peers: StreamPeers
  readonly #maxFrameBytes: number
  readonly #maxAgeMs: number
  /** Filled by frames in which nothing can be delivered: a flood of garbage is mostly not decoded. */
  #garbage: LeakyBucket | undefined
  /** Counts the joins: gaps in the numbers are counted within one. */
  #join = 0
  #foreignOrigin: string | undefined
  #foreignSequence = 0

  constructor(port: IngressPort, hubPeers: HubPeers) {
    const { maxBytes, maxAgeMs } = port.options
    this.#port = port
    this.#counters = port.counters
    this.#bucket = port.sharedBucket
    this.#peers = new StreamPeers(hubPeers)
    this.#maxFrameBytes = maxIncomingBytes(maxBytes)
    this.#maxAgeMs = maxAgeMs === false ? Number.POSITIVE_INFINITY : maxAgeMs
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
    if (bytes.length > this.#maxFrameBytes) return this.#counters.drop('malformed')
    if (port.origin !== undefined && endsWithOrigin(bytes, port.origin)) return this.#counters.drop('echo')
    const nowMs = port.nowMs()
    const bucket = this.#bucket
    if (bucket !== undefined && !bucket.hasRoom(nowMs, bucket.remoteCeiling)) {
      return this.#counters.drop('rateLimited')
    }
    const isFlooded = this.#garbage?.hasRoom(nowMs) === false
    const voucher = isFlooded ? this.#voucherOf(bytes) : undefined
    if (isFlooded && voucher === undefined) return this.#counters.drop('rateLimited')
    const decoded = decodeFrame(bytes, this.#peers.last?.origin)
    if (decoded === undefined) this.#counters.drop('malformed')
    else if ('removedBy' in decoded) {
      if (this.#takeRemoval(decoded.removedBy, nowMs)) return
    } else if (this.#takeEntries(decoded.entries, nowMs)) return
    this.#takeGarbage(nowMs)
    if (voucher !== undefined) voucher.isDoubted = true
  }

  #takeGarbage(nowMs: number): void {
    const { limit } = this.#port.options
    if (limit === false || this.#bucket === undefined) return
    this.#garbage ??= new LeakyBucket(limit.ratePerSecond, limit.burst)
    this.#garbage.take(nowMs)
  }

  /** While garbage floods the stream, a frame is decoded when its tail has a new number of a proven publisher. */
  #voucherOf(bytes: Uint8Array): Peer | undefined {
    const sid = tailSid(bytes)
    if (sid === undefined) return undefined
    const peer = this.#peers.find(sid.origin)
    return peer?.vouchesFor(sid.sequence) ? peer : undefined
  }

  /** Tells whether anything in the frame could be delivered, if only there is room. */
  #takeEntries(entries: readonly (FrameEntry | undefined)[], nowMs: number): boolean {
    const mayBeOld = this.#mayBeOld()
    let isUseful = false
    for (const entry of entries) {
      const outcome = this.#take(entry, nowMs, mayBeOld)
      isUseful ||= typeof outcome !== 'string' || outcome === 'rateLimited'
      if (typeof outcome === 'string') this.#counters.drop(outcome)
      else {
        this.#counters.deliver()
        this.#port.deliver(outcome, nowMs)
      }
    }
    return isUseful
  }

  /** Takes one message: returns what is to be delivered, or why it is not. */
  #take(entry: FrameEntry | undefined, nowMs: number, mayBeOld: boolean): Message | DropReason {
    const port = this.#port
    if (!port.isListening) return 'notJoined'
    if (entry === undefined) return 'malformed'
    const { origin } = entry
    if (origin === undefined) {
      if (mayBeOld) return 'stale'
    } else {
      if (port.isOwn(origin)) return 'echo'
      const verdict = this.#judge(origin, entry.sequence, nowMs, mayBeOld, entry.tMs)
      if (verdict !== 'deliver') return verdict
    }
    return this.#check(entry, nowMs)
  }

  /** Whether what arrives now may have waited on a frozen connection. */
  #mayBeOld(): boolean {
    return this.#port.overdueMs() >= this.#maxAgeMs
  }

  /** Judges a number of a publisher by what is known of it, and counts the gaps and disorder that it shows. */
  #judge(origin: string, sequence: number, nowMs: number, mayBeOld: boolean, tMs?: number): Verdict {
    const peer = this.#peers.of(origin)
    const maxAgeMs = this.#maxAgeMs
    const verdict = peer.judge({ sequence, tMs, arrivalMs: nowMs, maxAgeMs, mayBeOld, join: this.#join })
    if (peer.gapChange !== 0) this.#counters.count((counts) => (counts.missed += peer.gapChange))
    if (peer.isReordered) this.#counters.count((counts) => counts.reordered++)
    return verdict
  }

  /** Seals the data, applies the schema, and takes room. A validator or a polluted prototype may throw. */
  #check(entry: FrameEntry, nowMs: number): Message | DropReason {
    const { schema, maxBytes } = this.#port.options
    let data: unknown = entry.data
    let failure: DropReason = 'malformed'
    try {
      const sealed = seal(entry.data, maxBytes)
      if (sealed !== 'sealed') return sealed
      failure = 'schema'
      if (schema !== undefined) data = validate(schema, entry.data)
      if (!this.#port.isListening) return 'notJoined' // the validator may have ended the stream
    } catch {
      return failure
    }
    const bucket = this.#bucket
    const hasRoom = bucket === undefined || bucket.take(nowMs, bucket.remoteCeiling)
    return hasRoom && !this.#port.isFull ? this.#messageOf(entry, data) : 'rateLimited'
  }

  #messageOf({ origin, sequence }: FrameEntry, data: unknown): Message {
    if (origin !== undefined) return new Message(data, false, origin, sequence)
    this.#foreignOrigin ??= newOrigin()
    return new Message(data, false, this.#foreignOrigin, ++this.#foreignSequence)
  }

  /** A removal is no message: it is not counted unless it was dropped unread. Tells whether it ended the stream. */
  #takeRemoval({ origin, sequence }: { origin: string; sequence: number }, arrivalMs: number): boolean {
    if (this.#port.isOwn(origin)) return false
    if (this.#judge(origin, sequence, arrivalMs, this.#mayBeOld()) !== 'deliver') return false
    return this.#port.removedByPeer()
  }
}
