import { type MessageRecord, writeRecord } from '@rivulet/replay'
import { MAX_WAITING_LENGTH } from '../base/output.ts'
import type { Sink } from './sink.ts'

/**
 * Writes records, whole lines only. Drops and counts records while the buffer for the disk is full, since a hub can't
 * wait.
 */
export class Recorder {
  readonly #sink: Sink
  readonly #most: number
  readonly #failed: () => void
  readonly #streams = new Set<string>()
  #waiting: string[] = []
  #waitingLength = 0
  #isOpen = false
  #writing: Promise<void> | undefined
  #messages = 0
  #bytes = 0
  #dropped = 0

  /** `most`: the number of messages to accept. `failed` is called when writing fails. */
  constructor(sink: Sink, most: number, failed: () => void) {
    this.#sink = sink
    this.#most = most
    this.#failed = failed
  }

  /** The error of a failed write; `undefined` without one. */
  failure: unknown

  /** The number of accepted messages, buffered ones included. */
  get messages(): number {
    return this.#messages
  }

  /** The number of bytes written. */
  get bytes(): number {
    return this.#bytes
  }

  /** The number of messages not recorded because the disk was too slow. */
  get dropped(): number {
    return this.#dropped
  }

  /** The number of recorded streams. */
  get streams(): number {
    return this.#streams.size
  }

  /** Whether the requested number of messages was accepted. */
  get isFull(): boolean {
    return this.#messages >= this.#most
  }

  /** Opens the sink; records accepted before are buffered. Rejects when that fails. */
  async open(): Promise<void> {
    await this.#sink.open()
    this.#isOpen = true
    this.#write()
  }

  /** Accepts a record. */
  take(record: MessageRecord): void {
    if (this.isFull || this.failure !== undefined) return
    const line = `${writeRecord(record)}\n`
    if (this.#waitingLength + line.length > MAX_WAITING_LENGTH) {
      this.#dropped += 1
      return
    }
    this.#messages += 1
    this.#streams.add(record.stream)
    this.#waiting.push(line)
    this.#waitingLength += line.length
    this.#write()
  }

  /** Writes all accepted records, and closes the sink. */
  async finish(): Promise<void> {
    await this.#writing
    await this.#sink.close()
  }

  #write(): void {
    if (!this.#isOpen || this.#writing !== undefined || this.#waiting.length === 0) return
    this.#writing = this.#writeAll()
      .catch((error) => {
        this.failure ??= error
        this.#failed()
      })
      .then(() => {
        this.#writing = undefined
      })
  }

  async #writeAll(): Promise<void> {
    while (this.#waiting.length > 0) {
      const text = this.#waiting.join('')
      this.#waiting = []
      await this.#sink.write(text)
      this.#waitingLength -= text.length
      this.#bytes += Buffer.byteLength(text)
    }
  }
}
