import type { Readable } from 'node:stream'
import { createHub, type Hub, RivuletError, type Stream } from 'rivulet'
import { invalidOptions } from 'rivulet/adapter'
import { type MessageRecord, readRecord } from './message-record.ts'
import { checkPlayback, type PlaybackEnd, type PlaybackOptions } from './options.ts'
import { Pace } from './pace.ts'
import { Recording, type RecordingLine } from './recording.ts'

/** The path of a recording or FIFO, or a stream of its text. A path that ends in `.gz` is decompressed. */
export type RecordingSource = string | Readable

/**
 * No limit: the recorded messages were accepted once. One message a frame, which keeps their order over all streams.
 */
const STREAM_OPTIONS = { limit: false, batch: false, maxBytes: 65_536 } as const

/** Characters published before the next flush: far below the congestion limit of a hub. */
const MAX_UNCONFIRMED_LENGTH = 1024 * 1024

/** Codes of refusals caused by the record, not by the hub. */
const BAD_RECORD: readonly string[] = ['INVALID_DATA', 'PAYLOAD_TOO_LARGE', 'INVALID_NAME']

interface TimedRecord extends MessageRecord {
  readonly atMs: number
}

/** Plays a recording on the streams of a hub. Every pass publishes new messages, with new sids. */
export class Playback {
  readonly #recording: Recording
  readonly #options: PlaybackOptions
  readonly #pace: Pace
  readonly #streams = new Map<string, Stream>()
  readonly #names = new Set<string>()
  #messages = 0
  #skipped = 0
  #passes = 0
  #firstAtMs: number | undefined
  #lastAtMs: number | undefined
  #unconfirmedLength = 0

  /** Checks the options; reads nothing before `play`. Throws `INVALID_OPTIONS`. */
  constructor(source: RecordingSource, options: PlaybackOptions = {}) {
    this.#recording = new Recording(source)
    this.#options = checkPlayback(options)
    this.#pace = new Pace(this.#options.speed ?? 1)
    if (this.#options.loop && !this.#recording.isFile) {
      throw invalidOptions('A stream of text can be read once; to loop, play a file.')
    }
  }

  /** The counts so far. */
  get progress(): Omit<PlaybackEnd, 'error'> {
    return { messages: this.#messages, skipped: this.#skipped, passes: this.#passes }
  }

  /** The number of streams played so far. */
  get streams(): number {
    return this.#names.size
  }

  /** The bytes of the file read in this pass. */
  get bytesRead(): number {
    return this.#recording.bytesRead
  }

  /** Recorded time in ms from the first message to the last one played; 0 before any. */
  get playedMs(): number {
    return this.#lastAtMs === undefined ? 0 : this.#lastAtMs - (this.#firstAtMs ?? 0)
  }

  /**
   * Resolves to the file's size in bytes; `undefined` unless it is a regular file. Rejects `INVALID_OPTIONS` when it can't
   * be read.
   */
  size(): Promise<number | undefined> {
    return this.#recording.size()
  }

  /**
   * Publishes each message when it is due. Resolves at the end, or when `signal` aborts; the hub stays open. Calls `bad`
   * with the error of each skipped line. Rejects when the recording can't be read and, unless `skipBad` is set, at the
   * first bad line, with the code of its error.
   */
  play(hub: Hub, signal: AbortSignal, bad?: (error: RivuletError) => void): Promise<void> {
    return this.#run((record) => this.#publish(hub, record), hub, signal, bad)
  }

  /**
   * Reads and checks all lines like `play`, without waiting and without publishing to the hub: a hub without a transport
   * decides which records are refused.
   */
  async check(signal: AbortSignal, bad?: (error: RivuletError) => void): Promise<void> {
    const judge = createHub()
    await this.#run((record) => this.#publish(judge, record), undefined, signal, bad)
  }

  /** Removes every stream played in any pass, which ends its subscribers. Call it after `play` has resolved. */
  removeStreams(hub: Hub): void {
    for (const name of this.#names) hub.stream(name, STREAM_OPTIONS).remove()
  }

  async #run(
    take: (record: TimedRecord) => void,
    hub: Hub | undefined,
    signal: AbortSignal,
    bad: ((error: RivuletError) => void) | undefined,
  ): Promise<void> {
    try {
      for (;;) {
        const before = this.#messages
        this.#passes += 1
        await this.#pass(take, hub, signal, bad)
        // Passes without a message would repeat forever without a pause.
        if (!this.#options.loop || hub === undefined || this.#messages === before || signal.aborted) return
        await this.#pace.restart(signal)
      }
    } catch (error) {
      if (!signal.aborted) throw error
    }
  }

  async #pass(
    take: (record: TimedRecord) => void,
    hub: Hub | undefined,
    signal: AbortSignal,
    bad: ((error: RivuletError) => void) | undefined,
  ): Promise<void> {
    try {
      for await (const line of this.#recording.lines(signal)) {
        try {
          const record = this.#read(line)
          if (this.#isOver(record)) return
          if (this.#isBefore(record)) continue
          // Checked here, so that a due message costs no turn of the event loop.
          if (hub !== undefined && this.#pace.waitMs(record.atMs, performance.now()) > 0) {
            await this.#pace.until(record.atMs, signal)
          }
          take(record)
          this.#messages += 1
          this.#lastAtMs = record.atMs
        } catch (error) {
          this.#leaveOut(line, error, bad)
        }
        if (hub !== undefined) await this.#letThrough(hub, line, signal)
      }
    } finally {
      // The next pass opens them again, with new origins.
      for (const stream of this.#streams.values()) stream.close()
      this.#streams.clear()
    }
  }

  #read({ text }: RecordingLine): TimedRecord {
    let record: MessageRecord
    try {
      record = readRecord(text)
    } catch (cause) {
      throw new RivuletError('INVALID_DATA', (cause as Error).message, { cause })
    }
    const atMs = Date.parse(record.receivedAt)
    this.#firstAtMs ??= atMs
    return { ...record, atMs }
  }

  #isBefore({ atMs }: TimedRecord): boolean {
    const { from } = this.#options
    return from !== undefined && atMs < this.#atMs(from)
  }

  #isOver({ atMs }: TimedRecord): boolean {
    const { to } = this.#options
    return to !== undefined && atMs >= this.#atMs(to)
  }

  #atMs(time: number | Date): number {
    return typeof time === 'number' ? (this.#firstAtMs ?? 0) + time : time.getTime()
  }

  #nameOf(recorded: string): string {
    const { rename = {} } = this.#options
    return Object.hasOwn(rename, recorded) ? (rename[recorded] as string) : recorded
  }

  #publish(hub: Hub, { stream: recorded, data }: TimedRecord): void {
    const name = this.#nameOf(recorded)
    let stream = this.#streams.get(name)
    // It may have been removed meanwhile.
    if (stream?.closed !== false) {
      stream = hub.stream(name, STREAM_OPTIONS)
      this.#streams.set(name, stream)
      this.#names.add(name)
    }
    stream.publish(data as object)
  }

  #leaveOut(
    { number }: RecordingLine,
    error: unknown,
    bad: ((error: RivuletError) => void) | undefined,
  ): void {
    if (!RivuletError.is(error) || !BAD_RECORD.includes(error.code)) throw error
    const message = `${this.#recording.name}, line ${number}: ${error.message}`
    const named = new RivuletError(error.code, message, { cause: error })
    if (!this.#options.skipBad) throw named
    this.#skipped += 1
    bad?.(named)
  }

  /** Flushes before publishing more, since a hub loses messages as congested when it can't send them. */
  async #letThrough(hub: Hub, { text }: RecordingLine, signal: AbortSignal): Promise<void> {
    this.#unconfirmedLength += text.length
    if (this.#unconfirmedLength < MAX_UNCONFIRMED_LENGTH) return
    this.#unconfirmedLength = 0
    await hub.flush({ signal })
  }
}
