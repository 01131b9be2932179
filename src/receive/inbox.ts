import { encodeUtf8 } from '../base/utf8.ts'
import type { Confirmations } from '../connection/confirmations.ts'
import {
  decodeFrame,
  type FrameEntry,
  isRemoval,
  lastSid,
  MAX_INCOMING_BYTES,
  type Removal,
} from '../model/frame.ts'
import { LeakyBucket } from '../model/leaky-bucket.ts'
import type { DropReason } from '../model/ledger.ts'
import { Message, type Sid } from '../model/message.ts'
import { validate } from '../model/schema.ts'
import { seal } from '../model/seal.ts'
import { isQueueFull, remoteCeilingOf, type StreamState } from '../model/stream-state.ts'
import { drop, dropByOption } from './drops.ts'
import type { Arrival, Verdict } from './publisher.ts'
import type { Publishers } from './publishers.ts'

/** Removals a second of one stream that are looked at. */
const REMOVALS_PER_SECOND = 5

/** What an inbox does with what it lets in. */
export interface InboxActions {
  deliver(state: StreamState, message: Message): void
  /** Another process removed the stream. */
  remove(state: StreamState): void
}

/** Takes the frames of one stream: nothing that comes from outside is trusted, and every message is counted. */
export class Inbox {
  readonly publishers: Publishers
  readonly #state: StreamState
  readonly #actions: InboxActions
  readonly #confirmations: Confirmations
  readonly #maxAgeMs: number
  readonly #remoteCeiling: number
  /** Filled by frames in which nothing can be delivered: a flood of garbage is mostly not decoded. */
  readonly #garbage: LeakyBucket | undefined
  readonly #removals = new LeakyBucket(REMOVALS_PER_SECOND, REMOVALS_PER_SECOND)
  /** Numbers the messages of foreign clients, which have no sid. */
  #foreignOrigin: string | undefined
  #foreignSequence = 0

  constructor(
    state: StreamState,
    publishers: Publishers,
    confirmations: Confirmations,
    actions: InboxActions,
  ) {
    const { maxAgeMs, limit } = state.options
    this.publishers = publishers
    this.#state = state
    this.#actions = actions
    this.#confirmations = confirmations
    this.#maxAgeMs = maxAgeMs === false ? Number.POSITIVE_INFINITY : maxAgeMs
    this.#remoteCeiling = limit === false ? 0 : remoteCeilingOf(limit.burst)
    if (limit !== false && state.receiving !== undefined) {
      this.#garbage = new LeakyBucket(limit.ratePerSecond, limit.burst + limit.ratePerSecond)
    }
  }

  /**
   * Takes one frame. Never throws. What can be told from its first and last bytes is told before anything is charged
   * for it or decoded: own frames, repeats, removals.
   */
  receive(frame: Uint8Array | string): void {
    const { publishers } = this
    const state = this.#state
    const bytes = typeof frame === 'string' ? encodeUtf8(frame) : frame
    if (bytes.length > MAX_INCOMING_BYTES) return drop(state, 'malformed')
    const sid = lastSid(bytes, publishers.last?.origin)
    if (sid !== undefined && state.hub.origins.has(sid.origin)) return drop(state, 'echo')
    if (sid !== undefined && publishers.find(sid.origin)?.hasSeen(sid.sequence))
      return drop(state, 'duplicate')
    const nowMs = state.hub.clock.nowMs()
    const isRemovalFrame = isRemoval(bytes)
    const bucket = isRemovalFrame ? this.#removals : state.receiving
    if (bucket?.hasRoom(nowMs) === false) return (isRemovalFrame ? drop : dropByOption)(state, 'rateLimited')
    if (isRemovalFrame) this.#removals.take(nowMs)
    else if (this.#garbage?.hasRoom(nowMs) === false) return drop(state, 'rateLimited')
    if (!this.#takeDecoded(decodeFrame(bytes, publishers.last?.origin), nowMs)) this.#garbage?.take(nowMs)
  }

  /** Tells whether anything in the frame could be delivered, if only there is room. */
  #takeDecoded(decoded: ReturnType<typeof decodeFrame>, nowMs: number): boolean {
    if (decoded === undefined) {
      drop(this.#state, 'malformed')
      return false
    }
    const arrival = this.#arrivalAt(nowMs)
    if ('removedBy' in decoded) return this.#takeRemoval(decoded, arrival)
    let isUseful = false
    for (const entry of decoded) {
      const outcome = this.#take(entry, arrival)
      isUseful ||= typeof outcome !== 'string' || outcome === 'rateLimited'
      if (typeof outcome === 'string') dropByOption(this.#state, outcome)
      else {
        this.#state.counters.received++
        this.#state.counters.delivered++
        this.#actions.deliver(this.#state, outcome)
      }
    }
    return isUseful
  }

  #arrivalAt(nowMs: number): Arrival {
    const { isOverdue, promptStartMs } = this.#confirmations
    const maxAgeMs = this.#maxAgeMs
    const mayBeOld = isOverdue && maxAgeMs !== Number.POSITIVE_INFINITY
    return { nowMs, maxAgeMs, join: this.publishers.join, isOverdue: mayBeOld, promptStartMs }
  }

  /** Takes one message: returns what is to be delivered, or why it is not. */
  #take(entry: FrameEntry | undefined, arrival: Arrival): Message | DropReason {
    const state = this.#state
    if (state.counters.subscribers === 0) return 'notJoined'
    if (entry === undefined) return 'malformed'
    const { sid, tMs } = entry
    if (sid === undefined) return arrival.isOverdue ? 'stale' : this.#check(entry)
    if (state.hub.origins.has(sid.origin)) return 'echo'
    const verdict = this.#judge(sid, tMs, arrival)
    return verdict === 'deliver' ? this.#check(entry) : verdict
  }

  /** Judges a number of a publisher by what is known of it, and counts the gaps and disorder that it shows. */
  #judge(sid: Sid, tMs: number | undefined, arrival: Arrival): Verdict {
    const { counters } = this.#state
    const publisher = this.publishers.of(sid.origin)
    const verdict = publisher.judge(sid, tMs, arrival)
    this.publishers.counted(publisher)
    if (publisher.gapChange !== 0) counters.add('missed', publisher.gapChange)
    if (publisher.isReordered) counters.add('reordered', 1)
    // Whether a backlog or a stepped clock makes them late, a barrier that begins now will tell.
    if (verdict === 'stale' && publisher.staleSinceMs === arrival.nowMs) this.#confirmations.schedule(true)
    return verdict
  }

  /** Freezes the data, applies the schema, and takes room. A validator or a polluted prototype may throw. */
  #check({ data, sid }: FrameEntry): Message | DropReason {
    const state = this.#state
    const { schema, maxBytes } = state.options
    let output: unknown = data
    let failure: DropReason = 'malformed'
    try {
      const sealed = seal(data, maxBytes)
      if (sealed !== 'sealed') return sealed
      failure = 'schema'
      if (schema !== undefined) output = validate(schema, data, state)
    } catch {
      return failure
    }
    if (state.counters.subscribers === 0) return 'notJoined' // the validator may have ended the stream
    if (isQueueFull(state)) return 'rateLimited'
    if (state.receiving !== undefined) {
      const nowMs = state.hub.clock.nowMs() // subscribers of the frame's first messages may have taken long
      if (!state.receiving.take(nowMs)) return 'rateLimited'
      state.bucket?.fill(nowMs, this.#remoteCeiling)
    }
    const { origin, sequence } = sid ?? this.#foreignSid()
    return new Message(output, false, origin, sequence)
  }

  #foreignSid(): Sid {
    this.#foreignOrigin ??= this.#state.hub.origins.next()
    return { origin: this.#foreignOrigin, sequence: ++this.#foreignSequence }
  }

  /** A removal is no message: it is counted only when it is dropped unread. Tells whether it ended the stream. */
  #takeRemoval({ removedBy, tMs }: Removal, arrival: Arrival): boolean {
    const { hub, counters } = this.#state
    if (counters.subscribers === 0 || hub.origins.has(removedBy.origin)) return false
    if (this.#judge(removedBy, tMs, arrival) !== 'deliver') return false
    if (hub.acceptsRemoval) this.#actions.remove(this.#state)
    return hub.acceptsRemoval
  }
}
