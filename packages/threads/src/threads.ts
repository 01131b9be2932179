import type { Topic, Transport, TransportHost } from 'rivulet'
import { Connection } from './connection.ts'
import { type ResolvedOptions, resolveOptions, type ThreadsOptions } from './options.ts'

/**
 * Makes a transport between the worker threads of one process, or between the tabs and workers of one browser origin:
 * all that open the same name meet. Takes the name of the bus, or options. Throws `INVALID_OPTIONS`.
 */
export function threads(options: string | ThreadsOptions = {}): Transport {
  return new ThreadsTransport(resolveOptions(options))
}

class ThreadsTransport implements Transport {
  readonly name = 'threads'
  readonly capabilities = {
    ...({ scope: 'host', echoes: false, ordered: true } as const),
    maxFrameBytes: () => Number.POSITIVE_INFINITY,
  }
  readonly #options: ResolvedOptions
  // Up or not: once it has told of its end, or was closed, it sends and joins nothing.
  #last: Connection | undefined
  #cancelOpening = new AbortController()
  #opening: Promise<void> | undefined

  constructor(options: ResolvedOptions) {
    this.#options = options
  }

  async open(host: TransportHost, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    const cancel = new AbortController()
    const onAbort = () => cancel.abort(signal.reason)
    signal.addEventListener('abort', onAbort)
    this.#cancelOpening = cancel
    this.#opening = this.#connect(host, cancel.signal)
    await this.#opening.finally(() => signal.removeEventListener('abort', onAbort))
  }

  send(topic: Topic, frame: Uint8Array | string): 'sent' | 'offline' {
    return this.#last?.send(topic, frame) ?? 'offline'
  }

  join(topic: Topic, signal: AbortSignal): Promise<void> {
    return this.#last?.join(topic, signal) ?? Promise.reject(new Error('not open'))
  }

  leave(topic: Topic): void {
    this.#last?.leave(topic)
  }

  flush(signal: AbortSignal): Promise<void> {
    return this.#last?.flush(signal) ?? Promise.reject(new Error('not open'))
  }

  async close(signal: AbortSignal): Promise<void> {
    this.#cancelOpening.abort(new Error('closed while opening'))
    await Promise.allSettled([this.#opening, this.#last?.close(signal)])
  }

  async #connect(host: TransportHost, signal: AbortSignal): Promise<void> {
    const { name, makeChannel } = this.#options
    // Other programs use channels too.
    const channelName = `rivulet/threads/${name}`
    const connection = new Connection(makeChannel(channelName), host)
    try {
      await connection.receivesOwnTest(makeChannel(channelName), signal)
    } catch (cause) {
      await connection.close(AbortSignal.abort())
      throw cause
    }
    this.#last = connection
  }
}
