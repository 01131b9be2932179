import type { Topic, TransportHost } from 'rivulet'
import { DEFAULT_TIMEOUTS, type Timeouts } from 'rivulet/adapter'

const decoder = new TextDecoder()
const encoder = new TextEncoder()

/** A frame as {@link RecordingHost} records it. */
export interface RecordedFrame {
  /** The topic on which the frame arrived, without the prefix of the transport. */
  readonly topic: string
  /** The frame as text; invalid UTF-8 shows as U+FFFD. */
  readonly text: string
}

/** The settings of a {@link RecordingHost}. */
export interface RecordingHostOptions {
  /** The name of the hub. @default 'default' */
  readonly hub?: string | undefined
  /** Replaces single timeouts of the hub; in milliseconds. */
  readonly timeouts?: Partial<Timeouts> | undefined
}

/** A host that records the calls of a transport, for the tests of an adapter. One is made for each `open`. */
export class RecordingHost implements TransportHost {
  readonly hub: string
  readonly timeouts: Timeouts
  /** The frames of joined topics, in the order in which they arrived. */
  readonly frames: RecordedFrame[] = []
  /** The frames of a watched hub. */
  readonly watchedFrames: RecordedFrame[] = []
  /** The faults that left the connection up, each with its topic when known. */
  readonly errors: { readonly topic: Topic | undefined; readonly cause: Error }[] = []
  /** The joins that the backend ended, without a topic the watch. */
  readonly endedJoins: { readonly topic: Topic | undefined; readonly cause: Error }[] = []
  /** The causes of lost connections. */
  readonly downs: (Error | undefined)[] = []
  /** Runs inside `receive`, after the frame was recorded; may throw. */
  onReceive: ((topic: Topic, frame: Uint8Array | string) => void) | undefined
  readonly #bytes = new Map<Topic, Uint8Array[]>()
  #waiting: { readonly isMet: () => boolean; readonly resolve: () => void }[] = []

  constructor({ hub = 'default', timeouts }: RecordingHostOptions = {}) {
    this.hub = hub
    this.timeouts = { ...DEFAULT_TIMEOUTS, ...timeouts }
  }

  receive(topic: Topic, frame: Uint8Array | string): void {
    const bytes = copyOf(frame)
    const ofTopic = this.#bytes.get(topic) ?? []
    ofTopic.push(bytes)
    this.#bytes.set(topic, ofTopic)
    this.frames.push({ topic, text: decoder.decode(bytes) })
    this.#wake()
    this.onReceive?.(topic, frame)
  }

  watched(topic: string, frame: Uint8Array | string): void {
    this.watchedFrames.push({ topic, text: decoder.decode(copyOf(frame)) })
    this.#wake()
  }

  down(cause?: Error): void {
    this.downs.push(cause)
    this.#wake()
  }

  error(topic: Topic | undefined, cause: Error): void {
    this.errors.push({ topic, cause })
    this.#wake()
  }

  left(topic: Topic | undefined, cause: Error): void {
    this.endedJoins.push({ topic, cause })
    this.#wake()
  }

  /** The number of recorded calls. */
  get calls(): number {
    const { frames, watchedFrames, errors, endedJoins, downs } = this
    return frames.length + watchedFrames.length + errors.length + endedJoins.length + downs.length
  }

  /** The frames of a topic as copies of their bytes, in the order in which they arrived. */
  bytes(topic: Topic): readonly Uint8Array[] {
    return this.#bytes.get(topic) ?? []
  }

  /** The frames of a topic as text, without a topic those of all. */
  texts(topic?: Topic): string[] {
    const frames = topic === undefined ? this.frames : this.frames.filter((frame) => frame.topic === topic)
    return frames.map(({ text }) => text)
  }

  /** Resolves once a condition on the recorded calls holds; never rejects. */
  until(isMet: () => boolean): Promise<void> {
    if (isMet()) return Promise.resolve()
    return new Promise((resolve) => this.#waiting.push({ isMet, resolve }))
  }

  #wake(): void {
    if (this.#waiting.length === 0) return
    const met = this.#waiting.filter(({ isMet }) => isMet())
    this.#waiting = this.#waiting.filter((waiting) => !met.includes(waiting))
    for (const { resolve } of met) resolve()
  }
}

/** Copies a frame, since the transport may use its bytes again. */
function copyOf(frame: Uint8Array | string): Uint8Array {
  return typeof frame === 'string' ? encoder.encode(frame) : new Uint8Array(frame)
}
