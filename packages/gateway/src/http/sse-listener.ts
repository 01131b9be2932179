import type { Ending, StreamListener } from '../streams/broadcast.ts'
import { HEARTBEAT, OPENING, statusEvent } from './sse-event.ts'

/** How much a listener that reads slowly may have waiting for it. */
export interface ListenerLimits {
  readonly maxWaitingMessages: number
  readonly maxWaitingBytes: number
}

/** What a listener tells the gateway. */
interface ListenerOwner {
  /** Messages reached the connection, or gave way to newer ones. */
  count(outcome: 'sent' | 'dropped', messages: number): void
  /** The listener is gone. Told once. `isFinished`: its client may still have to take what was sent. */
  ended(isFinished: boolean): void
}

/**
 * One open response. What its client does not take waits in a bounded line, whose oldest messages give way; the
 * client is told how many did. Chunks are shared among listeners and never written to.
 */
export class SseListener implements StreamListener {
  readonly body: ReadableStream<Uint8Array>
  readonly #limits: ListenerLimits
  readonly #owner: ListenerOwner
  readonly #waiting: Uint8Array[] = []
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined
  #waitingBytes = 0
  #untoldDrops = 0
  #isEnded = false
  /** Whether anything was handed to the connection since the last beat. */
  #hasMoved = true
  #beatsWithoutMove = 0

  constructor(limits: ListenerLimits, owner: ListenerOwner) {
    this.#limits = limits
    this.#owner = owner
    this.body = new ReadableStream<Uint8Array>({
      start: (controller) => {
        this.#controller = controller
        controller.enqueue(OPENING)
      },
      pull: () => this.#flush(),
      cancel: () => this.#end(),
    })
  }

  /** Sends a message, or puts it in the line. Never throws. */
  push(chunk: Uint8Array): void {
    if (this.#isEnded) return
    this.#waiting.push(chunk)
    this.#waitingBytes += chunk.byteLength
    if (this.#isWritable) this.#flush()
    else this.#makeRoom()
  }

  /** Sends a comment when nothing else was sent lately. Tells how many beats the client has taken nothing. */
  beat(): number {
    this.#beatsWithoutMove = this.#hasMoved || this.#isWritable ? 0 : this.#beatsWithoutMove + 1
    if (!this.#hasMoved && this.#isWritable) this.#controller?.enqueue(HEARTBEAT)
    this.#hasMoved = false
    return this.#beatsWithoutMove
  }

  /** Sends what waits and one last event, and ends the response. */
  finish(last: Uint8Array): void {
    if (this.#isEnded) return
    this.#flush()
    this.#controller?.enqueue(last)
    this.#controller?.close()
    this.#end(true)
  }

  /** Tells why the stream has ended, and ends the response. */
  end({ event, reason }: Ending): void {
    this.finish(statusEvent(event, { reason }))
  }

  /** Ends the response at once, without what waits. */
  abort(): void {
    if (this.#isEnded) return
    this.#drop(this.#waiting.length)
    this.#controller?.close()
    this.#end()
  }

  get #isWritable(): boolean {
    return (this.#controller?.desiredSize ?? 0) > 0
  }

  #flush(): void {
    if (this.#isEnded || (this.#waiting.length === 0 && this.#untoldDrops === 0)) return
    const messages = this.#waiting.length
    const chunks = this.#waiting.splice(0)
    if (this.#untoldDrops > 0) chunks.unshift(statusEvent('dropped', { count: this.#untoldDrops }))
    this.#untoldDrops = 0
    this.#waitingBytes = 0
    this.#hasMoved = true
    this.#controller?.enqueue(joined(chunks))
    this.#owner.count('sent', messages)
  }

  #makeRoom(): void {
    const { maxWaitingMessages, maxWaitingBytes } = this.#limits
    while (this.#waiting.length > maxWaitingMessages || this.#waitingBytes > maxWaitingBytes) this.#drop(1)
  }

  #drop(count: number): void {
    for (const chunk of this.#waiting.splice(0, count)) this.#waitingBytes -= chunk.byteLength
    this.#untoldDrops += count
    if (count > 0) this.#owner.count('dropped', count)
  }

  #end(isFinished = false): void {
    if (this.#isEnded) return
    this.#isEnded = true
    this.#drop(this.#waiting.length)
    this.#owner.ended(isFinished)
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
