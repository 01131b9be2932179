import type { Shape } from './canonical-json.ts'
import { encodeMessage, encodeRemoval, joinMessages, MAX_MESSAGES_PER_FRAME } from './frame.ts'
import type { Counters } from './ledger.ts'
import { type Message, sidOf } from './message.ts'
import type { Topic } from './topic.ts'
import type { Utf8Writer } from './utf8.ts'

/** Why a message did not reach the broker. */
export type LossReason = 'offline' | 'congested' | 'failed'

/** The way to the broker, as an outbox sees it. */
export interface Sender {
  readonly isUp: boolean
  maxFrameBytes(topic: Topic): number
  /** What writing one message tells of the next, on all streams of the hub. */
  readonly shapes: Shape[]
  readonly utf8: Utf8Writer
  /** Hands over one frame with so many messages in it, which `counters` count as in flight; only while up. */
  send(topic: Topic, frame: Uint8Array, counters: Counters, messages: number): 'sent' | LossReason
  /** Calls `flush` of the outbox at the end of the tick. */
  soon(outbox: Outbox): void
  /** Reports a message that is larger than the broker takes. */
  reportTooLarge(topic: Topic, bytes: number): void
}

interface Waiting {
  readonly message: Message
  readonly wire: object
  readonly tMs: number
}

/** Gathers what one stream publishes in a tick and hands it over in as few frames as the limits allow. */
export class Outbox {
  readonly #topic: Topic
  readonly #counters: Counters
  readonly #sender: Sender
  readonly #onLost: (reason: LossReason, count: number) => void
  readonly #batches: boolean
  #waiting: Waiting[] = []
  #hasReported = false

  constructor(
    topic: Topic,
    counters: Counters,
    sender: Sender,
    batches: boolean,
    onLost: (reason: LossReason, count: number) => void,
  ) {
    this.#topic = topic
    this.#counters = counters
    this.#sender = sender
    this.#batches = batches
    this.#onLost = onLost
  }

  /** Takes a message; `wire` is the snapshot that was published, `tMs` counts since its origin began. */
  add(message: Message, wire: object, tMs: number): void {
    const entry = { message, wire, tMs }
    const count = this.#waiting.length
    const isDue = !this.#batches || count + 1 === MAX_MESSAGES_PER_FRAME
    if (count > 0) this.#waiting[count] = entry
    else {
      if (this.#batches) this.#sender.soon(this)
      this.#waiting = [entry] // most often it stays alone: an array that grows has room for 17
    }
    // From here on it is on its way: where the stack ends now, the next flush takes it.
    if (!isDue) return
    try {
      this.flush()
    } catch {}
  }

  /** Tells the other processes that the stream ends, after everything that was published. */
  addRemoval(origin: string, sequence: number): void {
    this.flush()
    const { isUp, utf8 } = this.#sender
    if (!isUp) return
    this.#sender.send(this.#topic, utf8.encode(encodeRemoval(sidOf(origin, sequence))), this.#counters, 0)
  }

  /** Hands over what has been gathered. */
  flush(): void {
    const waiting = this.#waiting
    if (waiting.length === 0) return
    const { isUp, shapes } = this.#sender
    if (isUp) {
      const messages = waiting.map(({ message, wire, tMs }) => encodeMessage(message, wire, tMs, shapes))
      this.#waiting = []
      this.#send(messages)
    } else {
      this.#countLost('offline', waiting.length)
      this.#waiting = []
      this.#tellLost('offline', waiting.length)
    }
  }

  /** Sends messages as one frame, or halves them until each part is within the broker's limit. */
  #send(messages: readonly string[]): void {
    const frame = this.#sender.utf8.encode(joinMessages(messages))
    if (frame.length > this.#sender.maxFrameBytes(this.#topic)) {
      if (messages.length === 1) {
        this.#lose('failed', 1)
        if (!this.#hasReported) this.#sender.reportTooLarge(this.#topic, frame.length)
        this.#hasReported = true
        return
      }
      const half = messages.length >> 1
      this.#send(messages.slice(0, half))
      this.#send(messages.slice(half))
      return
    }
    const outcome = this.#sender.send(this.#topic, frame, this.#counters, messages.length)
    if (outcome !== 'sent') this.#lose(outcome, messages.length)
  }

  #lose(reason: LossReason, count: number): void {
    this.#countLost(reason, count)
    this.#tellLost(reason, count)
  }

  #countLost(reason: LossReason, count: number): void {
    this.#counters.count((counts) => {
      counts.inFlight -= count
      counts.lost[reason] += count
    })
  }

  #tellLost(reason: LossReason, count: number): void {
    try {
      this.#onLost(reason, count)
    } catch {} // The stack is exhausted. It has been counted, and must not be taken back.
  }
}
