import assert from 'node:assert'
import type { Topic, Transport } from 'rivulet'
import { RecordingHost } from './recording-host.ts'
import { within } from './within.ts'

/** A transport under test with the host of its last `open`. Every wait is bounded. */
export class Peer {
  readonly transport: Transport
  readonly waitMs: number
  host: RecordingHost
  readonly #hub: string

  /** `hub` is the name of the hub that the transport gets. */
  constructor(transport: Transport, hub: string, waitMs: number) {
    this.transport = transport
    this.waitMs = waitMs
    this.#hub = hub
    this.host = new RecordingHost({ hub })
  }

  /** Opens with a fresh host. */
  async open(signal: AbortSignal = endless()): Promise<void> {
    this.host = new RecordingHost({ hub: this.#hub })
    await this.#bounded('open to settle', this.transport.open(this.host, signal))
  }

  async join(topic: Topic, signal: AbortSignal = endless()): Promise<void> {
    await this.#bounded(`join of ${topic} to settle`, this.transport.join(topic, signal))
  }

  /** Watches the hub of the last `open`. */
  async watch(signal: AbortSignal = endless()): Promise<void> {
    await this.#bounded('watch to settle', this.transport.watch(this.#hub, signal))
  }

  /** Sends, and fails unless the transport took the frame. */
  send(topic: Topic, ...frames: (Uint8Array | string)[]): void {
    for (const frame of frames) {
      assert.strictEqual(this.transport.send(topic, frame), 'sent', 'send while open says "sent"')
    }
  }

  async flush(signal: AbortSignal = endless()): Promise<void> {
    await this.#bounded('flush to settle', this.transport.flush(signal))
  }

  /** Closes; by default with half of `waitMs` for sending pending frames. */
  async close(signal: AbortSignal = AbortSignal.timeout(this.waitMs / 2)): Promise<void> {
    await this.#bounded('close to settle', this.transport.close(signal))
  }

  /** Waits until at least `count` frames of a topic have arrived. */
  async receives(topic: Topic, count: number): Promise<void> {
    const { host } = this
    const overdue = `${count} frames on ${topic}`
    await this.#bounded(
      overdue,
      host.until(() => host.bytes(topic).length >= count),
    ).catch((cause) => {
      throw new Error(`${cause.message} It got ${host.bytes(topic).length}.`, { cause })
    })
  }

  /** Waits until the transport has reported that the connection is gone. */
  async fallen(): Promise<void> {
    await this.until('host.down to be called', () => this.host.downs.length > 0)
  }

  /** Waits until a condition on the recorded calls holds. */
  async until(what: string, isMet: () => boolean): Promise<void> {
    await this.#bounded(what, this.host.until(isMet))
  }

  async #bounded<T>(what: string, promise: Promise<T>): Promise<T> {
    return within(this.waitMs, what, promise)
  }
}

/** A signal that never aborts. */
export function endless(): AbortSignal {
  return new AbortController().signal
}
