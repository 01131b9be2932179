import { Utf8Writer } from '../base/utf8.ts'
import type { Connection } from '../connection/connection.ts'
import type { Shape } from '../model/canonical-json.ts'
import {
  encodeMessage,
  encodeRemoval,
  joinMessages,
  MAX_FRAME_BYTES,
  MAX_MESSAGES_PER_FRAME,
} from '../model/frame.ts'
import type { LossReason } from '../model/ledger.ts'
import { type Message, sidOf } from '../model/message.ts'
import { errorOf, report } from '../model/report.ts'
import { type Outbox, type Outgoing, originOf, type StreamState } from '../model/stream-state.ts'
import { topicOf } from '../model/topic.ts'

interface Loss {
  readonly reason: LossReason
  readonly count: number
  /** The size of the frame, when that is why. */
  readonly unfitBytes?: number | undefined
}

/** Sends the messages of all streams of a hub. */
export class Outboxes {
  readonly #connection: Connection
  /** Those with something to send in this tick. */
  #due: StreamState[] = []
  /** What writing one message tells of the next, on all streams. */
  readonly #shapes: Shape[] = []
  readonly #utf8 = new Utf8Writer()

  constructor(connection: Connection) {
    this.#connection = connection
  }

  /** Takes a message that was accepted at `nowMs`; `wire` is the snapshot that was published. */
  add(state: StreamState, message: Message, wire: object, nowMs: number): void {
    const outbox = state.outbox ?? openOutbox(state, nowMs)
    const entry = { message, wire, tMs: nextTMs(outbox, nowMs) }
    if (outbox.waiting.length > 0) outbox.waiting.push(entry)
    else {
      outbox.waiting = [entry] // most often it stays alone: an array that grows has room for 17
      if (state.options.batch) this.#flushSoon(state)
    }
    if (!state.options.batch || outbox.waiting.length === MAX_MESSAGES_PER_FRAME) this.#flush(state)
  }

  /** Tells the other processes that the stream was removed, after everything that it published. */
  addRemoval(state: StreamState): void {
    const nowMs = state.hub.clock.nowMs()
    const outbox = state.outbox ?? openOutbox(state, nowMs)
    this.#flush(state)
    const frame = encodeRemoval(sidOf(originOf(state), ++state.sequence), nextTMs(outbox, nowMs))
    this.#connection.send(outbox.topic, this.#utf8.encode(frame), state.counters, 0)
  }

  /** Hands over what all streams have gathered. */
  flush(): void {
    const due = this.#due
    this.#due = []
    for (const state of due) this.#flush(state)
  }

  #flushSoon(state: StreamState): void {
    if (this.#due.push(state) === 1) queueMicrotask(() => this.flush())
  }

  /** Listeners hear of losses at the end: what they publish must not overtake the rest of a frame. */
  #flush(state: StreamState): void {
    const outbox = state.outbox as Outbox
    const { waiting } = outbox
    if (waiting.length === 0) return
    outbox.waiting = []
    const lost: Loss[] = []
    if (this.#connection.isUp) {
      const messages = waiting.map((entry) => this.#encode(entry))
      this.#send(state, outbox, messages, lost)
    } else lost.push({ reason: 'offline', count: waiting.length })
    if (lost.length > 0) this.#tellLost(state, outbox, lost)
  }

  #tellLost(state: StreamState, outbox: Outbox, lost: readonly Loss[]): void {
    for (const { reason, count } of lost) state.counters.lose(reason, count)
    for (const { reason, count } of lost) {
      if (state.events?.has('lost')) state.events.emit('lost', { reason, count })
    }
    const unfit = lost.find(({ unfitBytes }) => unfitBytes !== undefined)
    if (unfit === undefined || outbox.hasReportedSize) return
    outbox.hasReportedSize = true
    const advice = 'lower maxBytes, or raise the limit of the broker'
    const broker = this.#connection.maxFrameBytes(outbox.topic)
    const message = `A message makes a frame of ${unfit.unfitBytes} bytes, the broker takes ${broker}; ${advice}.`
    report(state, errorOf(state, 'TRANSPORT_FAILED', message))
  }

  #encode({ message, wire, tMs }: Outgoing): string {
    return encodeMessage(message, wire, tMs, this.#shapes)
  }

  /** Sends messages as one frame, or halves them until each part is within the limit. */
  #send(state: StreamState, outbox: Outbox, messages: readonly string[], lost: Loss[]): void {
    const { topic } = outbox
    const frame = this.#utf8.encode(joinMessages(messages))
    const brokerBytes = this.#connection.maxFrameBytes(topic)
    const count = messages.length
    if (count > 1 && frame.length > Math.min(MAX_FRAME_BYTES, brokerBytes)) {
      this.#send(state, outbox, messages.slice(0, count >> 1), lost)
      this.#send(state, outbox, messages.slice(count >> 1), lost)
      return
    }
    const unfitBytes = frame.length > brokerBytes ? frame.length : undefined
    const isUnfit = unfitBytes !== undefined
    const reason = isUnfit ? 'failed' : this.#connection.send(topic, frame, state.counters, count)
    if (reason !== 'sent') lost.push({ reason, count, unfitBytes })
  }
}

function openOutbox(state: StreamState, nowMs: number): Outbox {
  const topic = topicOf(state.hub.name, state.name)
  state.outbox = { topic, waiting: [], startMs: nowMs, tMs: 0, hasReportedSize: false }
  return state.outbox
}

/** Returns the milliseconds since the origin began. Reading data may take long and publish, yet they never go back. */
function nextTMs(outbox: Outbox, nowMs: number): number {
  outbox.tMs = Math.max(outbox.tMs, Math.floor(nowMs - outbox.startMs))
  return outbox.tMs
}
