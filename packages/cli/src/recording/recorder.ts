import { type MessageRecord, writeRecord } from '@rivulet/replay'
import { MAX_WAITING_LENGTH } from '../base/output.ts'
import type { Sink } from './sink.ts'

/**
 * Writes records, whole lines only. What comes while too much waits for the disk is dropped and counted: a hub can't be
 * made to wait.
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

  /** `most`: after so many messages it takes no more. `failed` is called when the disk does not take any more. */
  constructor(sink: Sink, most: number, failed: () => void) {
    this.#sink = sink
    this.#most = most
    this.#failed = failed
  }

  /** Why the disk does not take any more; `undefined` while it does. */
  failure: unknown

  /** Messages that were taken, those included that wait for the disk. */
  get messages(): number {
    return this.#messages
  }

  /** Bytes that the disk has taken. */
  get bytes(): number {
    return this.#bytes
  }

  /** Messages that were not recorded since the disk was too slow. */
  get dropped(): number {
    return this.#dropped
  }

  /** How many streams were recorded. */
  get streams(): number {
    return this.#streams.size
  }

  /** Whether as many were taken as were asked for. */
  get isFull(): boolean {
    return this.#messages >= this.#most
  }

  /** Opens the sink; what was taken before waits. Rejects when that fails. */
  async open(): Promise<void> {
    await this.#sink.open()
    this.#isOpen = true
    this.#write()
  }

  /** Takes a record. */
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

  /** Resolves when all that was taken is written, and closes the sink. */
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
