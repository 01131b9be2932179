import { setImmediate } from 'node:timers/promises'
import { createHub, RivuletError, type Topic, type TransportHost } from 'rivulet'
import type { TransportConnection } from 'rivulet/adapter'
import { feedTransport } from './feed.ts'
import type { PlaybackEnd, ReplayOptions } from './options.ts'
import { Playback } from './playback.ts'

/** Plays a recording once. Begins at the first join or watch, since earlier messages would have no receiver. */
export class Connection implements TransportConnection {
  readonly #host: TransportHost
  readonly #options: ReplayOptions
  readonly #joined = new Set<Topic>()
  readonly #closed = new AbortController()
  #watch = AbortSignal.abort()
  #playing: Promise<void> | undefined

  constructor(host: TransportHost, options: ReplayOptions) {
    this.#host = host
    this.#options = options
  }

  /** Sends nothing: a recording has no receivers. */
  send(): 'offline' {
    return 'offline'
  }

  async join(topic: Topic, signal: AbortSignal): Promise<void> {
    this.#throwIfOver(signal)
    this.#joined.add(topic)
    this.#playing ??= this.#play()
  }

  leave(topic: Topic): void {
    this.#joined.delete(topic)
  }

  async watch(_hub: string, signal: AbortSignal): Promise<void> {
    this.#throwIfOver(signal)
    this.#watch = signal
    this.#playing ??= this.#play()
  }

  async flush(signal: AbortSignal): Promise<void> {
    this.#throwIfOver(signal)
  }

  async close(): Promise<void> {
    this.#closed.abort()
    // The transport may be closed amid the removals of many streams.
    this.#joined.clear()
    this.#watch = this.#closed.signal
    await this.#playing
  }

  #throwIfOver(signal: AbortSignal): void {
    signal.throwIfAborted()
    if (this.#closed.signal.aborted) {
      throw new RivuletError('TRANSPORT_UNAVAILABLE', 'The replay was closed.')
    }
  }

  /** Plays through a hub, which numbers and times the frames like any publisher, with new origins in each pass. */
  async #play(): Promise<void> {
    const { file, end, ended: _, ...playbackOptions } = this.#options
    const { signal } = this.#closed
    const hub = createHub({
      name: this.#host.hub,
      transport: feedTransport((topic, frame) => this.#hand(topic, frame)),
    })
    hub.on('error', ignore)
    const playback = new Playback(file, playbackOptions)
    let error: RivuletError | undefined
    try {
      await hub.ready()
      // So that a program that subscribes to several streams in one turn receives the first message of each.
      await setImmediate()
      await playback.play(hub, signal)
      if (end === 'remove' && !signal.aborted) playback.removeStreams(hub)
    } catch (cause) {
      error = failureOf(cause)
      this.#host.error(undefined, error)
    }
    await hub.close()
    // Not awaited: the callback may await the close of the hub, which awaits this.
    if (!signal.aborted) void this.#report({ ...playback.progress, error })
  }

  async #report(end: PlaybackEnd): Promise<void> {
    const { ended } = this.#options // called as a member, `this` would be the options
    try {
      await ended?.(end)
    } catch (cause) {
      this.#host.error(undefined, failureOf(cause))
    }
  }

  #hand(topic: Topic, frame: Uint8Array | string): void {
    if (this.#joined.has(topic)) this.#host.receive(topic, frame)
    if (!this.#watch.aborted) this.#host.watched(topic, frame)
  }
}

function failureOf(cause: unknown): RivuletError {
  const reason = cause instanceof Error ? cause.message : String(cause)
  return new RivuletError('TRANSPORT_FAILED', reason, { cause })
}

function ignore(): void {}
