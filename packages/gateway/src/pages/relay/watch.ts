import type { Topic, Transport } from 'rivulet'

/** The hub's watch over all of its topics. Frames of pages come from here, the rest comes from upstream. */
export class Watch {
  readonly #upstream: Transport | undefined
  /** While this is not aborted the hub watches. */
  #signal: AbortSignal | undefined
  /** The beginning of its topics. */
  #beginning = ''

  constructor(upstream: Transport | undefined) {
    this.#upstream = upstream
  }

  /** Begins, once upstream has confirmed. Rejects as `watch` of a transport does. */
  async begin(hub: string, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    await this.#upstream?.watch(hub, signal)
    signal.throwIfAborted()
    this.#signal = signal
    this.#beginning = `rivulet/${hub}/`
  }

  /** Upstream, or the connection, has ended it. */
  end(): void {
    this.#signal = undefined
  }

  /** Whether the hub receives the frames of pages on a topic. */
  receives(topic: Topic): boolean {
    return this.#signal?.aborted === false && topic.startsWith(this.#beginning)
  }
}
