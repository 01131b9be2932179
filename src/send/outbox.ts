import { queueOutside, runOutside } from '../base/async-context.ts'
import { losses } from '../base/diagnostics.ts'
import { Utf8Writer } from '../base/utf8.ts'
import type { Connection } from '../connection/connection.ts'
import { errorOf, report } from '../errors/report.ts'
import type { Shape } from '../message/canonical-json.ts'
import { encodeMessage, joinMessages, MAX_FRAME_BYTES, MAX_MESSAGES_PER_FRAME } from '../message/frame.ts'
import type { Message } from '../message/message.ts'
import { topicOf } from '../message/topic.ts'
import { clockStepMs } from '../state/clock-step.ts'
import type { LossReason } from '../state/ledger.ts'
import type { Follow, Outbox, Outgoing, SendPart } from '../state/send-part.ts'
import type { HubState, StreamState } from '../state/stream-state.ts'
import { renewOrigin } from './origin.ts'
import { Removals } from './removals.ts'

/** Messages that did not reach the broker, with the followers of some of them. */
interface Loss {
  readonly reason: LossReason
  readonly messages: readonly Outgoing[]
  readonly follows: readonly Follow[] | undefined
}

type Losses = readonly Loss[]

/** Shared: an array for each frame would cost a publisher a hundredth of its time. */
const NONE_LOST: Losses = []

/**
 * Sends the messages of all streams of a hub, outside of any request: a frame has messages of many requests, and a
 * client's resources for a send, such as the timer of its keepalive, outlive them.
 */
export class Outboxes {
  readonly #hub: HubState
  readonly #connection: Connection
  /** The offset from the monotonic clock to the date: read once a tick, since a read costs a publish some percent. */
  #dateOffsetMs: number | undefined
  /** Streams with messages to send in this tick. */
  #due: StreamState[] = []
  /** Shapes of the last messages, which speed up the next ones, on all streams. */
  readonly #shapes: Shape[] = []
  readonly #utf8 = new Utf8Writer()
  readonly #removals: Removals
  /** Followers of messages that are not handed over yet; empty while no confirmation is wanted. */
  readonly #followed = new Map<Message, Follow>()
  /** The number of messages that did not reach the broker: in all, and before this tick. */
  #lost = 0
  #lostBeforeTick = 0

  constructor(hub: HubState, connection: Connection) {
    this.#hub = hub
    this.#connection = connection
    this.#removals = new Removals(hub, connection, (text) => this.#utf8.encode(text))
  }

  /**
   * Begins a new origin after the machine has slept. Its monotonic clock stopped meanwhile, and with it `t`: every
   * later message would seem late by that time. Receivers have no delays of a new origin.
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
    renewOrigin(state)
  }

  /** The number of messages that did not reach the broker. */
  get lost(): number {
    return this.#lost
  }

  /** The number of messages that did not reach the broker before this tick. */
  get lostBeforeTick(): number {
    return this.#lostBeforeTick
  }

  /** Calls `follow` when the message, which is accepted now, has reached the broker or will not. */
  follow(message: Message, follow: Follow): void {
    this.#followed.set(message, follow)
  }

  /** Takes a message that was accepted at `nowMs`; `wire` is the snapshot that was published. */
  add(state: StreamState, message: Message, wire: object, nowMs: number): void {
    const outbox = state.outbox as Outbox
    const entry = { message, wire, tMs: nextTMs(outbox, nowMs) }
    if (outbox.waiting.length > 0) outbox.waiting.push(entry)
    else {
      outbox.waiting = [entry] // most often the only one: an array that grows allocates 17 places
      if (state.options.batch && this.#due.push(state) === 1) queueOutside(() => this.#flushDue())
    }
    if (!state.options.batch || outbox.waiting.length === MAX_MESSAGES_PER_FRAME)
      runOutside(() => this.#flush(state))
  }

  /** Sends to the other processes that the stream was removed, after everything that it published. */
  addRemoval(state: StreamState): void {
    const nowMs = state.hub.clock.nowMs()
    this.begin(state, nowMs)
    const outbox = state.outbox as Outbox
    runOutside(() => {
      this.#flush(state)
      this.#removals.add(state, nextTMs(outbox, nowMs))
    })
  }

  /** Called when the connection is up. */
  connected(): void {
    this.#removals.resend()
  }

  /** Called when the backend has given other prefixes for origins. */
  renewOrigins(): void {
    this.flush() // while not up: messages with an old origin are lost here, not sent
    this.#removals.renewOrigins()
  }

  /** Called when the hub has disconnected. */
  close(): void {
    runOutside(() => this.#removals.close())
  }

  /** Hands over the gathered messages of all streams. */
  flush(): void {
    runOutside(() => this.#flushDue())
  }

  #flushDue(): void {
    const due = this.#due
    this.#due = []
    for (const state of due) this.#flush(state)
  }

  /** Listeners are notified of losses at the end: their own messages must not overtake the rest of a frame. */
  #flush(state: StreamState): void {
    this.#dateOffsetMs = undefined
    const outbox = state.outbox as Outbox
    const { waiting } = outbox
    if (waiting.length === 0) return
    outbox.waiting = []
    let lost: Losses
    if (this.#connection.isUp) {
      const texts = waiting.map(({ message, wire, tMs }) => encodeMessage(message, wire, tMs, this.#shapes))
      lost = this.#send(state, outbox, waiting, texts)
    } else lost = [{ reason: 'offline', messages: waiting, follows: this.#followsOf(waiting) }]
    for (const loss of lost) this.#lose(state, loss)
    for (const loss of lost) state.hub.turns.run(() => emitLoss(state, loss))
  }

  /** Sends messages as one frame, or halves them until each part is within the limit. Returns the losses. */
  #send(state: StreamState, outbox: Outbox, messages: readonly Outgoing[], texts: readonly string[]): Losses {
    const { topic } = outbox
    const frame = this.#utf8.encode(joinMessages(texts))
    const maxBytes = this.#connection.maxFrameBytes(topic)
    const count = messages.length
    if (count > 1 && frame.length > Math.min(MAX_FRAME_BYTES, this.#connection.chunkBytes, maxBytes)) {
      const half = count >> 1
      const lost = this.#send(state, outbox, messages.slice(0, half), texts.slice(0, half))
      return lost.concat(this.#send(state, outbox, messages.slice(half), texts.slice(half)))
    }
    const isUnfit = frame.length > maxBytes
    if (isUnfit) reportSize(state, outbox, frame.length, maxBytes)
    const follows = this.#followsOf(messages)
    const reason = isUnfit ? 'failed' : this.#connection.send(state, topic, frame, count, follows)
    return reason === 'sent' ? NONE_LOST : [{ reason, messages, follows }]
  }

  /** Counts messages that did not reach the broker. */
  #lose(state: StreamState, { reason, messages, follows }: Loss): void {
    if (this.#lost === this.#lostBeforeTick) {
      queueMicrotask(() => {
        this.#lostBeforeTick = this.#lost
      })
    }
    this.#lost += messages.length
    state.counters.lose(reason, messages.length)
    for (const follow of follows ?? []) follow(reason, undefined)
  }

  /** Takes the followers of these messages: they receive the loss, or pass to the frame's barrier. */
  #followsOf(messages: readonly Outgoing[]): readonly Follow[] | undefined {
    if (this.#followed.size === 0) return undefined
    const follows: Follow[] = []
    for (const { message } of messages) {
      const follow = this.#followed.get(message)
      if (follow === undefined) continue
      this.#followed.delete(message)
      follows.push(follow)
    }
    return follows
  }
}

function emitLoss(state: StreamState, { reason, messages }: Loss): void {
  const count = messages.length
  if (losses.hasSubscribers) losses.publish({ hub: state.hub.name, stream: state.name, reason, count })
  if (state.events?.has('lost')) {
    state.events.emit('lost', { reason, count, sids: messages.map(({ message }) => message.sid) })
  }
}

function reportSize(state: StreamState, outbox: Outbox, bytes: number, maxBytes: number): void {
  if (outbox.hasReportedSize) return
  outbox.hasReportedSize = true
  const advice = 'lower maxBytes, or raise the limit of the broker'
  const message = `A message makes a frame of ${bytes} bytes, the broker takes ${maxBytes}; ${advice}.`
  // The rest of the frame goes first.
  const emit = () => report(state, errorOf(state, 'TRANSPORT_FAILED', message))
  queueMicrotask(() => state.hub.turns.run(emit))
}

function openOutbox(state: StreamState & SendPart, nowMs: number, dateOffsetMs: number): Outbox {
  const topic = topicOf(state.hub.name, state.name)
  state.outbox = { topic, waiting: [], startMs: nowMs, tMs: 0, dateOffsetMs, hasReportedSize: false }
  return state.outbox
}

/** Returns the milliseconds since the origin began. Never decreases, though reading the data may take long and publish. */
function nextTMs(outbox: Outbox, nowMs: number): number {
  outbox.tMs = Math.max(outbox.tMs, Math.floor(nowMs - outbox.startMs))
  return outbox.tMs
}
