import type { Message } from 'rivulet'
import type { Ending, Gap, StreamListener } from './broadcast.ts'
import { dataJson } from './data-json.ts'

/** How much a listener that reads slowly may have waiting for it. */
export interface ListenerLimits {
  /** Messages that may wait for a listener whose client reads slowly; the oldest are evicted. @default 256 */
  readonly maxWaitingMessages: number
  /** Bytes that may wait for one. @default 1048576 */
  readonly maxWaitingBytes: number
}

/** The callbacks of a listener. */
interface ListenerOwner {
  /** Messages were handed to the connection, or gave way to newer ones. */
  count(outcome: 'sent' | 'dropped', messages: number): void
  /** The listener is gone. Called once. */
  ended(): void
}

// Enough to send small messages in a few writes. Together with what Node takes before it asks to wait, the most that
// is handed over ahead of what a client takes is 32 KiB, or 16 KiB and a longer message.
const MAX_JOINED_BYTES = 16_384

/**
 * One open response. What its client does not take waits in a bounded queue, whose oldest messages are dropped; the
 * client is sent how many were. Messages are shared among listeners and never written to: only small ones that wait
 * are copied, to be sent as one.
 */
export class SseListener implements StreamListener {
  readonly body: ReadableStream<Uint8Array>
  readonly #limits: ListenerLimits
  readonly #owner: ListenerOwner
  #waiting: Uint8Array[] = []
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined
  #waitingBytes = 0
  #untoldDrops = 0
  /** A gap that was not sent to the client yet, and how many of the messages that wait are from before it. */
  #untoldGap: Gap | undefined
  #beforeGap = Infinity
  #isEnded = false
  /** Whether the connection would take something now. */
  #isWanted = false
  /** Whether anything was handed to the connection since the last beat. */
  #hasMoved = true
  #beatsWithoutMove = 0

  constructor(limits: ListenerLimits, owner: ListenerOwner) {
    this.#limits = limits
    this.#owner = owner
    const source: UnderlyingDefaultSource<Uint8Array> = {
      start: (controller) => {
        this.#controller = controller
        controller.enqueue(OPENING)
      },
      pull: () => {
        this.#isWanted = true
        this.#flush()
      },
      cancel: () => this.#end(),
    }
    // Nothing is buffered in the stream itself: what was handed over can't be dropped any more.
    this.body = new ReadableStream(source, { highWaterMark: 0 })
  }

  /** Sends a message, or puts it in the line. Never throws. */
  push(message: Uint8Array): void {
    if (this.#isEnded) return
    this.#waiting.push(message)
    this.#waitingBytes += message.byteLength
    if (this.#isWanted) this.#flush()
    else this.#makeRoom()
  }

  /** Reports a gap in its place among the messages. It counts as none of these, and several that wait become one. */
  gap({ missed, sinceMs }: Gap): void {
    if (this.#isEnded) return
    const before = this.#untoldGap ?? { missed: 0, sinceMs }
    this.#untoldGap = { missed: before.missed + missed, sinceMs: Math.min(before.sinceMs, sinceMs) }
    this.#beforeGap = this.#waiting.length
    if (this.#isWanted) this.#flush()
  }

  /** Sends a comment when nothing else was sent lately. Returns for how many beats the client has taken nothing. */
  beat(): number {
    this.#beatsWithoutMove = this.#hasMoved || this.#isWanted ? 0 : this.#beatsWithoutMove + 1
    if (!this.#hasMoved && this.#isWanted) this.#hand(HEARTBEAT)
    this.#hasMoved = false
    return this.#beatsWithoutMove
  }

  /** Sends what waits and one last event, and ends the response. */
  finish(last: Uint8Array): void {
    if (this.#isEnded) return
    if (this.#untoldDrops > 0) this.#controller?.enqueue(this.#tellDrops())
    const messages = this.#waiting
    this.#owner.count('sent', messages.length)
    this.#waiting = []
    if (this.#untoldGap !== undefined) messages.splice(this.#beforeGap, 0, this.#tellGap())
    // One by one, still shared: the client takes them as it can.
    for (const message of messages) this.#controller?.enqueue(message)
    this.#controller?.enqueue(last)
    this.#controller?.close()
    this.#end()
  }

  /** Sends the client the reason why the stream is over, and ends the response. */
  end({ event, reason }: Ending): void {
    this.finish(statusEvent(event, { reason }))
  }

  /** Ends the response at once, without what waits. */
  abort(): void {
    if (this.#isEnded) return
    this.#controller?.close()
    this.#end()
  }

  #flush(): void {
    const isNothingLeft = this.#waiting.length === 0 && this.#untoldDrops === 0
    if (this.#isEnded || (isNothingLeft && this.#untoldGap === undefined)) return
    const chunks = this.#untoldDrops > 0 ? [this.#tellDrops()] : []
    let bytes = chunks[0]?.byteLength ?? 0
    let messages = 0
    for (const message of this.#waiting) {
      if (messages === this.#beforeGap) break
      if (chunks.length > 0 && bytes + message.byteLength > MAX_JOINED_BYTES) break
      chunks.push(message)
      bytes += message.byteLength
      this.#waitingBytes -= message.byteLength
      messages++
    }
    this.#waiting.splice(0, messages)
    this.#beforeGap -= messages
    if (this.#beforeGap === 0) chunks.push(this.#tellGap())
    this.#hand(joined(chunks))
    this.#owner.count('sent', messages)
  }

  #hand(chunk: Uint8Array): void {
    this.#isWanted = false
    this.#hasMoved = true
    this.#controller?.enqueue(chunk)
  }

  #tellDrops(): Uint8Array {
    const event = statusEvent('dropped', { count: this.#untoldDrops })
    this.#untoldDrops = 0
    return event
  }

  #tellGap(): Uint8Array {
    const event = statusEvent('gap', { ...this.#untoldGap })
    this.#untoldGap = undefined
    this.#beforeGap = Infinity
    return event
  }

  #makeRoom(): void {
    const { maxWaitingMessages, maxWaitingBytes } = this.#limits
    while (this.#waiting.length > maxWaitingMessages || this.#waitingBytes > maxWaitingBytes) this.#drop(1)
  }

  #drop(count: number): void {
    for (const message of this.#waiting.splice(0, count)) this.#waitingBytes -= message.byteLength
    this.#untoldDrops += count
    this.#beforeGap = Math.max(0, this.#beforeGap - count)
    if (count > 0) this.#owner.count('dropped', count)
  }

  #end(): void {
    if (this.#isEnded) return
    this.#isEnded = true
    this.#drop(this.#waiting.length)
    this.#owner.ended()
  }
}

function joined(chunks: readonly Uint8Array[]): Uint8Array {
  if (chunks.length === 1) return chunks[0] as Uint8Array
  const whole = new Uint8Array(chunks.reduce((bytes, chunk) => bytes + chunk.byteLength, 0))
  let position = 0
  for (const chunk of chunks) {
    whole.set(chunk, position)
    position += chunk.byteLength
  }
  return whole
}

const encoder = new TextEncoder()

/** How long an EventSource waits before it comes again, in milliseconds. */
const RETRY_MS = 2000

/** Sent to every listener first, so that its `open` event means: what is published from now on will come. */
const OPENING = encoder.encode(`retry: ${RETRY_MS}\n\n`)

/** A comment, which EventSource skips. It keeps proxies from hanging up, and finds out who is gone. */
const HEARTBEAT = encoder.encode(':\n\n')

/** Writes a message as an event: its sid as the id, its data as the data. JSON has no line breaks. */
export function messageEvent(message: Message): Uint8Array {
  return encoder.encode(`id: ${message.sid}\nevent: messagePublished\ndata: ${dataJson(message)}\n\n`)
}

/** Writes an event that is about the listening itself. */
export function statusEvent(name: 'removed' | 'closing' | 'dropped' | 'gap', data: object): Uint8Array {
  return encoder.encode(`event: ${name}\ndata: ${JSON.stringify(data)}\n\n`)
}
