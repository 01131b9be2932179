import type { Topic, TransportHost } from 'rivulet'

const decoder = new TextDecoder()
const encoder = new TextEncoder()

/** A host that records the calls of a transport. One is made for each `open`. */
export class Recorder implements TransportHost {
  readonly hub: string
  readonly downs: (Error | undefined)[] = []
  readonly errors: Error[] = []
  /** The frames of `watched`, each as the topic, a space, and the frame as text. */
  readonly watchedTexts: string[] = []
  /** Runs inside `receive`, after the frame was recorded; may throw. */
  onReceive: ((topic: Topic, frame: Uint8Array | string) => void) | undefined
  readonly #frames = new Map<Topic, Uint8Array[]>()
  #received = 0
  #waiting: { readonly isMet: () => boolean; readonly resolve: () => void }[] = []

  constructor(hub: string) {
    this.hub = hub
  }

  receive(topic: Topic, frame: Uint8Array | string): void {
    const frames = this.#frames.get(topic) ?? []
    frames.push(copyOf(frame))
    this.#frames.set(topic, frames)
    this.#received += 1
    this.#wake()
    this.onReceive?.(topic, frame)
  }

  watched(topic: string, frame: Uint8Array | string): void {
    this.watchedTexts.push(`${topic} ${decoder.decode(copyOf(frame))}`)
    this.#wake()
  }

  down(cause?: Error): void {
    this.downs.push(cause)
    this.#wake()
  }

  error(_topic: Topic | undefined, cause: Error): void {
    this.errors.push(cause)
    this.#wake()
  }

  left(_topic: Topic | undefined, cause: Error): void {
    this.errors.push(cause)
    this.#wake()
  }

  /** The number of received frames, of all topics. */
  get received(): number {
    return this.#received
  }

  /** The number of all calls. */
  get calls(): number {
    return this.#received + this.watchedTexts.length + this.downs.length + this.errors.length
  }

  /** The frames of a topic, in the order in which they arrived. */
  frames(topic: Topic): readonly Uint8Array[] {
    return this.#frames.get(topic) ?? []
  }

  /** The frames of a topic as text. */
  texts(topic: Topic): string[] {
    return this.frames(topic).map((frame) => decoder.decode(frame))
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
