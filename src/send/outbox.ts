import { queueOutside, runOutside } from '../base/async-context.ts'
import { losses } from '../base/diagnostics.ts'
import { Utf8Writer } from '../base/utf8.ts'
import type { Connection } from '../connection/connection.ts'
import type { Shape } from '../model/canonical-json.ts'
import { clockStepMs } from '../model/clock-step.ts'
import {
  encodeMessage,
  encodeRemoval,
  joinMessages,
  MAX_FRAME_BYTES,
  MAX_MESSAGES_PER_FRAME,
} from '../model/frame.ts'
import { type Message, sidOf } from '../model/message.ts'
import { errorOf, report } from '../model/report.ts'
import {
  type HubState,
  type Outbox,
  originOf,
  type StreamEvents,
  type StreamState,
} from '../model/stream-state.ts'
import { topicOf } from '../model/topic.ts'

type Losses = readonly StreamEvents['lost'][]

/** Shared: an array for each frame would cost a publisher a hundredth of its time. */
const NONE_LOST: Losses = []

/**
 * Sends the messages of all streams of a hub, outside of any request: a frame has messages of many, and what a client
 * keeps of a send, such as the timer of its keepalive, outlives them.
 */
export class Outboxes {
  readonly #hub: HubState
  readonly #connection: Connection
  /** From the monotonic clock to the date: read once a tick, since each look costs a publish some percent. */
  #dateOffsetMs: number | undefined
  /** Those with something to send in this tick. */
  #due: StreamState[] = []
  /** What writing one message tells of the next, on all streams. */
  readonly #shapes: Shape[] = []
  readonly #utf8 = new Utf8Writer()

  constructor(hub: HubState, connection: Connection) {
    this.#hub = hub
    this.#connection = connection
  }

  /**
   * While a machine sleeps its monotonic clock stands still, and so does `t`: all that it publishes afterwards would seem
   * late by that. So the stream begins a new origin, of which receivers know no delays.
   */
  begin(state: StreamState, nowMs: number): void {
    const { clock } = this.#hub
    this.#dateOffsetMs ??= clock.dateOffsetMs(nowMs)
    const outbox = state.outbox ?? openOutbox(state, nowMs, this.#dateOffsetMs)
    const stepMs = clockStepMs(state.options.maxAgeMs)
    if (Math.abs(this.#dateOffsetMs - outbox.dateOffsetMs) <= stepMs) return
    // Reading the data may have taken long since `nowMs`.
    this.#dateOffsetMs = clock.dateOffsetMs()
    if (Math.abs(this.#dateOffsetMs - outbox.dateOffsetMs) <= stepMs) return
    outbox.dateOffsetMs = this.#dateOffsetMs
    runOutside(() => this.#flush(state))
    state.origin = undefined
  }

  /** Takes a message that was accepted at `nowMs`; `wire` is the snapshot that was published. */
  add(state: StreamState, message: Message, wire: object, nowMs: number): void {
    const outbox = state.outbox as Outbox
    const entry = { message, wire, tMs: nextTMs(outbox, nowMs) }
    if (outbox.waiting.length > 0) outbox.waiting.push(entry)
    else {
      outbox.waiting = [entry] // most often it stays alone: an array that grows has room for 17
      if (state.options.batch && this.#due.push(state) === 1) queueOutside(() => this.#flushDue())
    }
    if (!state.options.batch || outbox.waiting.length === MAX_MESSAGES_PER_FRAME)
      runOutside(() => this.#flush(state))
  }

  /** Tells the other processes that the stream was removed, after everything that it published. */
  addRemoval(state: StreamState): void {
    const nowMs = state.hub.clock.nowMs()
    this.begin(state, nowMs)
    const outbox = state.outbox as Outbox
    runOutside(() => {
      this.#flush(state)
      const frame = encodeRemoval(sidOf(originOf(state), ++state.sequence), nextTMs(outbox, nowMs))
      this.#connection.send(state, outbox.topic, this.#utf8.encode(frame), 0)
    })
  }

  /** Hands over what all streams have gathered. */
  flush(): void {
    runOutside(() => this.#flushDue())
  }

  #flushDue(): void {
    const due = this.#due
    this.#due = []
    for (const state of due) this.#flush(state)
  }

  /** Listeners hear of losses at the end: what they publish must not overtake the rest of a frame. */
  #flush(state: StreamState): void {
    this.#dateOffsetMs = undefined
    const outbox = state.outbox as Outbox
    const { waiting } = outbox
    if (waiting.length === 0) return
    outbox.waiting = []
    let lost: Losses
    if (this.#connection.isUp) {
      const messages = waiting.map(({ message, wire, tMs }) =>
        encodeMessage(message, wire, tMs, this.#shapes),
      )
      lost = this.#send(state, outbox, messages)
    } else lost = [{ reason: 'offline', count: waiting.length }]
    for (const { reason, count } of lost) state.counters.lose(reason, count)
    for (const loss of lost) state.hub.turns.run(() => tellLoss(state, loss))
  }

  /** Sends messages as one frame, or halves them until each part is within the limit. Returns what is lost. */
  #send(state: StreamState, outbox: Outbox, messages: readonly string[]): Losses {
    const { topic } = outbox
    const frame = this.#utf8.encode(joinMessages(messages))
    const maxBytes = this.#connection.maxFrameBytes(topic)
    const count = messages.length
    if (count > 1 && frame.length > Math.min(MAX_FRAME_BYTES, this.#connection.chunkBytes, maxBytes)) {
      const lost = this.#send(state, outbox, messages.slice(0, count >> 1))
      return lost.concat(this.#send(state, outbox, messages.slice(count >> 1)))
    }
    const isUnfit = frame.length > maxBytes
    if (isUnfit) reportSize(state, outbox, frame.length, maxBytes)
    const reason = isUnfit ? 'failed' : this.#connection.send(state, topic, frame, count)
    return reason === 'sent' ? NONE_LOST : [{ reason, count }]
  }
}

function tellLoss(state: StreamState, loss: StreamEvents['lost']): void {
  if (losses.hasSubscribers) losses.publish({ hub: state.hub.name, stream: state.name, ...loss })
  if (state.events?.has('lost')) state.events.emit('lost', loss)
}

function reportSize(state: StreamState, outbox: Outbox, bytes: number, maxBytes: number): void {
  if (outbox.hasReportedSize) return
  outbox.hasReportedSize = true
  const advice = 'lower maxBytes, or raise the limit of the broker'
  const message = `A message makes a frame of ${bytes} bytes, the broker takes ${maxBytes}; ${advice}.`
  // The rest of the frame goes first.
  const tell = () => report(state, errorOf(state, 'TRANSPORT_FAILED', message))
  queueMicrotask(() => state.hub.turns.run(tell))
}

function openOutbox(state: StreamState, nowMs: number, dateOffsetMs: number): Outbox {
  const topic = topicOf(state.hub.name, state.name)
  state.outbox = { topic, waiting: [], startMs: nowMs, tMs: 0, dateOffsetMs, hasReportedSize: false }
  return state.outbox
}

/** Returns the milliseconds since the origin began. Reading data may take long and publish, yet they never go back. */
function nextTMs(outbox: Outbox, nowMs: number): number {
  outbox.tMs = Math.max(outbox.tMs, Math.floor(nowMs - outbox.startMs))
  return outbox.tMs
}
