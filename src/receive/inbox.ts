import { encodeUtf8 } from '../base/utf8.ts'
import type { Confirmations } from '../connection/confirmations.ts'
import type { JoinChange } from '../connection/joins.ts'
import { deliver, isQueueFull } from '../deliver/delivery.ts'
import { emitJoined } from '../deliver/subscription.ts'
import { named } from '../errors/errors.ts'
import { Refusal } from '../errors/refusal.ts'
import { decodeFrame, type FrameEntry, isRemoval, lastSid, MAX_INCOMING_BYTES } from '../message/frame.ts'
import { Message } from '../message/message.ts'
import { validate } from '../message/schema.ts'
import { seal } from '../message/seal.ts'
import type { Sid } from '../message/sid.ts'
import { LeakyBucket } from '../state/leaky-bucket.ts'
import type { DropReason } from '../state/ledger.ts'
import { type ReceivePart, receivingBucket, remoteCeilingOf } from '../state/receive-part.ts'
import type { StreamState } from '../state/stream-state.ts'
import { drop, dropByOption, dropNewer, reportOnce } from './drops.ts'
import { type Arrival, mayBeOld } from './publisher.ts'
import type { Publishers } from './publishers.ts'

/** The most removals of one stream that are checked, per second. */
const REMOVALS_PER_SECOND = 5

/** Receives the frames of one stream: trusts no received byte, and counts every message. */
export class Inbox {
  readonly state: StreamState
  readonly publishers: Publishers
  readonly #confirmations: Confirmations
  readonly #removed: (state: StreamState) => void
  /**
   * Buckets for frames without a deliverable message, so that most of a flood of garbage is not decoded: one for frames
   * that end like those of a proven publisher, and one for all others, which so cannot mute that publisher.
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

  /** Notifies the subscribers of the outcome of the topic's join. */
  joinChanged(change: JoinChange): void {
    const state: StreamState & ReceivePart = this.state
    state.isJoined = change === 'joined'
    state.isRefused = typeof change !== 'string'
    if (change === 'left') return this.publishers.absences.interrupted(this.#confirmations)
    if (state.isJoined) {
      this.#confirmations.schedule()
      this.publishers.absences.joined(state)
    }
    const refusal = change === 'joined' ? undefined : named(change, state.hub.name, state.name)
    for (const subscriber of [...state.subscribers]) subscriber?.joined(refusal)
    if (change === 'joined') emitJoined(state)
  }

  /** Called when the last subscriber has left, and with it the topic. */
  leave(): void {
    const state: StreamState & ReceivePart = this.state
    state.isJoined = false
    state.isRefused = false
    this.publishers.absences.left()
  }

  /**
   * Receives one frame. Never throws. Its first and last bytes identify own frames, repeats and removals, before the
   * frame takes capacity or is decoded.
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
    if (bucket?.hasCapacity(nowMs) === false) {
      return isRemovalFrame ? drop(state, 'rateLimited') : dropByOption(state, 'rateLimited', publishers.size)
    }
    const garbage = this.#garbage?.[publisher?.isProven ? 'proven' : 'others']
    if (isRemovalFrame) this.#removals.take(nowMs)
    else if (garbage?.hasCapacity(nowMs) === false) return drop(state, 'rateLimited')
    if (!this.#takeDecoded(decodeFrame(bytes, publishers.last?.origin), nowMs)) garbage?.take(nowMs)
  }

  /** Returns whether any message of the frame could be delivered, given capacity. */
  #takeDecoded(decoded: ReturnType<typeof decodeFrame>, nowMs: number): boolean {
    if (decoded === undefined) {
      drop(this.state, 'malformed')
      return false
    }
    const { state } = this
    const { absences, isClockWrong } = this.publishers
    const arrival = { state, confirmations: this.#confirmations, absences, nowMs, isClockWrong }
    if ('removedBy' in decoded) return this.#takeRemoval(decoded.removedBy, decoded.tMs, arrival)
    let isUseful = false
    for (const entry of decoded) {
      const outcome = this.#take(entry, arrival)
      isUseful ||= typeof outcome !== 'string' || outcome === 'rateLimited'
      if (outcome === 'newerFormat') dropNewer(state)
      else if (typeof outcome === 'string') dropByOption(state, outcome, this.publishers.size)
      else {
        state.counters.deliver()
        deliver(state, outcome, undefined, nowMs)
      }
    }
    return isUseful
  }

  /** Checks one entry: returns the message to deliver, or the reason to drop it. */
  #take(entry: FrameEntry | 'newer' | undefined, arrival: Arrival): Message | DropReason {
    const state = this.state
    if (state.counters.subscribers === 0) return 'notJoined'
    if (entry === undefined) return 'malformed'
    if (entry === 'newer') return 'newerFormat'
    const { sid, tMs } = entry
    if (sid === undefined) return mayBeOld(arrival) ? 'stale' : this.#check(entry)
    if (state.hub.origins.has(sid.origin)) return 'echo'
    const verdict = this.publishers.judge(sid, tMs, arrival)
    return verdict === 'deliver' ? this.#check(entry) : verdict
  }

  /** Freezes the data, applies the schema, and takes capacity. A validator or a polluted prototype may throw. */
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
      const nowMs = state.hub.clock.nowMs() // subscribers may have taken long for the frame's first messages
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

  /**
   * Receives a removal, and returns whether it ended the stream. It is no message: it is counted only when dropped
   * unread.
   */
  #takeRemoval(sid: Sid, tMs: number | undefined, arrival: Arrival): boolean {
    const { hub, counters } = this.state
    if (counters.subscribers === 0 || hub.origins.has(sid.origin)) return false
    if (this.publishers.judge(sid, tMs, arrival) !== 'deliver') return false
    if (hub.acceptsRemoval) this.#removed(this.state)
    return hub.acceptsRemoval
  }
}
