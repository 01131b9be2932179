import { encodeUtf8 } from '../base/utf8.ts'
import type { Confirmations } from '../connection/confirmations.ts'
import type { JoinChange } from '../connection/joins.ts'
import { deliver } from '../deliver/delivery.ts'
import { named } from '../model/errors.ts'
import { decodeFrame, type FrameEntry, isRemoval, lastSid, MAX_INCOMING_BYTES } from '../model/frame.ts'
import { LeakyBucket } from '../model/leaky-bucket.ts'
import type { DropReason } from '../model/ledger.ts'
import { Message, type Sid } from '../model/message.ts'
import { Refusal } from '../model/refusal.ts'
import { validate } from '../model/schema.ts'
import { seal } from '../model/seal.ts'
import { isQueueFull, receivingBucket, remoteCeilingOf, type StreamState } from '../model/stream-state.ts'
import { drop, dropByOption, reportOnce } from './drops.ts'
import { type Arrival, mayBeOld } from './publisher.ts'
import type { Publishers } from './publishers.ts'

/** Removals a second of one stream that are looked at. */
const REMOVALS_PER_SECOND = 5

/** Takes the frames of one stream: nothing that comes from outside is trusted, and every message is counted. */
export class Inbox {
  readonly state: StreamState
  readonly publishers: Publishers
  readonly #confirmations: Confirmations
  /** Whether the broker refused the join; what it sends all the same is not for the stream. */
  isRefused = false
  readonly #removed: (state: StreamState) => void
  /**
   * Filled by frames in which nothing can be delivered, so that a flood of garbage is mostly not decoded: by those
   * that end as frames of a proven publisher do, and by all others, which so cannot silence that publisher.
   */
  readonly #garbage: { readonly proven: LeakyBucket; readonly others: LeakyBucket } | undefined
  readonly #removals = new LeakyBucket(REMOVALS_PER_SECOND, REMOVALS_PER_SECOND)
  /** Numbers the messages of foreign clients, which have no sid. */
  #foreignOrigin: string | undefined
  #foreignSequence = 0

  /** `removed` is called when another process has removed the stream. */
  constructor(
    state: StreamState,
    publishers: Publishers,
    confirmations: Confirmations,
    removed: (state: StreamState) => void,
  ) {
    const { limit } = state.options
    this.state = state
    this.publishers = publishers
    publishers.state = state
    this.#removed = removed
    this.#confirmations = confirmations
    if (limit !== false && state.receiving !== undefined) {
      this.#garbage = { proven: receivingBucket(limit), others: receivingBucket(limit) }
    }
  }

  /** Tells the subscribers what became of the topic's join. */
  joinChanged(change: JoinChange): void {
    const { state } = this
    state.isJoined = change === 'joined'
    if (change === 'left') this.publishers.join++
    else {
      this.isRefused = !state.isJoined
      if (state.isJoined) this.#confirmations.schedule()
      const refusal = change === 'joined' ? undefined : named(change, state.hub.name, state.name)
      for (const subscriber of [...state.subscribers]) subscriber?.joined(refusal)
    }
  }

  /**
   * Takes one frame. Never throws. What can be told from its first and last bytes is told before anything is charged
   * for it or decoded: own frames, repeats, removals.
   */
  receive(frame: Uint8Array | string): void {
    const { state, publishers } = this
    const bytes = typeof frame === 'string' ? encodeUtf8(frame) : frame
    if (bytes.length > MAX_INCOMING_BYTES) return drop(state, 'malformed')
    const sid = lastSid(bytes, publishers.last?.origin)
    if (sid !== undefined && state.hub.origins.has(sid.origin)) return drop(state, 'echo')
    const publisher = sid && publishers.find(sid.origin)
    const nowMs = state.hub.clock.nowMs()
    if (sid !== undefined && publisher?.isRepeat(sid, state, nowMs)) return drop(state, 'duplicate')
    const isRemovalFrame = isRemoval(bytes)
    const bucket = isRemovalFrame ? this.#removals : state.receiving
    if (bucket?.hasRoom(nowMs) === false) {
      return isRemovalFrame ? drop(state, 'rateLimited') : dropByOption(state, 'rateLimited', publishers.size)
    }
    const garbage = this.#garbage?.[publisher?.isProven ? 'proven' : 'others']
    if (isRemovalFrame) this.#removals.take(nowMs)
    else if (garbage?.hasRoom(nowMs) === false) return drop(state, 'rateLimited')
    if (!this.#takeDecoded(decodeFrame(bytes, publishers.last?.origin), nowMs)) garbage?.take(nowMs)
  }

  /** Tells whether anything in the frame could be delivered, if only there is room. */
  #takeDecoded(decoded: ReturnType<typeof decodeFrame>, nowMs: number): boolean {
    if (decoded === undefined) {
      drop(this.state, 'malformed')
      return false
    }
    const { state } = this
    const { join, isClockWrong } = this.publishers
    const arrival = { state, confirmations: this.#confirmations, join, nowMs, isClockWrong }
    if ('removedBy' in decoded) return this.#takeRemoval(decoded.removedBy, decoded.tMs, arrival)
    let isUseful = false
    for (const entry of decoded) {
      const outcome = this.#take(entry, arrival)
      isUseful ||= typeof outcome !== 'string' || outcome === 'rateLimited'
      if (typeof outcome === 'string') dropByOption(state, outcome, this.publishers.size)
      else {
        state.counters.deliver()
        deliver(state, outcome, undefined, nowMs)
      }
    }
    return isUseful
  }

  /** Takes one message: returns what is to be delivered, or why it is not. */
  #take(entry: FrameEntry | undefined, arrival: Arrival): Message | DropReason {
    const state = this.state
    if (state.counters.subscribers === 0) return 'notJoined'
    if (entry === undefined) return 'malformed'
    const { sid, tMs } = entry
    if (sid === undefined) return mayBeOld(arrival) ? 'stale' : this.#check(entry)
    if (state.hub.origins.has(sid.origin)) return 'echo'
    const verdict = this.publishers.judge(sid, tMs, arrival)
    return verdict === 'deliver' ? this.#check(entry) : verdict
  }

  /** Freezes the data, applies the schema, and takes room. A validator or a polluted prototype may throw. */
  #check({ data, sid, traceparent }: FrameEntry): Message | DropReason {
    const state = this.state
    const { schema, maxBytes, limit } = state.options
    let output: unknown = data
    let failure: DropReason = 'malformed'
    try {
      const sealed = seal(data, maxBytes)
      if (sealed !== 'sealed') return sealed
      failure = 'schema'
      if (schema !== undefined) output = validate(schema, data, state)
    } catch (thrown) {
      if (thrown instanceof Refusal && thrown.code === 'INVALID_OPTIONS') reportOnce(state, thrown.error)
      return failure
    }
    if (isQueueFull(state)) return 'rateLimited'
    if (state.receiving !== undefined && limit !== false) {
      const nowMs = state.hub.clock.nowMs() // subscribers of the frame's first messages may have taken long
      if (!state.receiving.take(nowMs)) return 'rateLimited'
      if (limit.publishers === 1) state.bucket?.fill(nowMs, remoteCeilingOf(limit.burst))
    }
    if (state.counters.subscribers === 0) return 'notJoined' // the validator or the clock may have ended the stream
    const { origin, sequence } = sid ?? this.#foreignSid()
    return new Message(output, false, origin, sequence, traceparent)
  }

  #foreignSid(): Sid {
    this.#foreignOrigin ??= this.state.hub.origins.next()
    return { origin: this.#foreignOrigin, sequence: ++this.#foreignSequence }
  }

  /** A removal is no message: it is counted only when it is dropped unread. Tells whether it ended the stream. */
  #takeRemoval(sid: Sid, tMs: number | undefined, arrival: Arrival): boolean {
    const { hub, counters } = this.state
    if (counters.subscribers === 0 || hub.origins.has(sid.origin)) return false
    if (this.publishers.judge(sid, tMs, arrival) !== 'deliver') return false
    if (hub.acceptsRemoval) this.#removed(this.state)
    return hub.acceptsRemoval
  }
}
