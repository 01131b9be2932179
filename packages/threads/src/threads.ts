import type { Topic, Transport, TransportHost } from 'rivulet'
import { Connection } from './connection.ts'
import { type ResolvedOptions, resolveOptions, type ThreadsOptions } from './options.ts'

/**
 * Makes a transport between the worker threads of one process, or between the tabs and workers of one browser origin:
 * all that open the same name share a bus. Takes the name of the bus, or options. Throws `INVALID_OPTIONS`.
 */
export function threads(options: string | ThreadsOptions = {}): Transport {
  return new ThreadsTransport(resolveOptions(options))
}

class ThreadsTransport implements Transport {
  readonly name = 'threads'
  readonly capabilities = {
    ...({ scope: 'host', echoes: false, ordered: true, watch: true } as const),
    maxFrameBytes: () => Infinity,
  }
  /** Absent with the option `alone`. */
  readonly othersInProcess: (() => number) | undefined
  readonly #options: ResolvedOptions
  // Not always up: while it opens, after it has reported its end, and once closed, it sends and joins nothing.
  #connection: Connection | undefined

  constructor(options: ResolvedOptions) {
    this.#options = options
    if (!options.alone) this.othersInProcess = () => this.#connection?.others ?? 0
  }

  async open(host: TransportHost, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    const { name, makeChannel } = this.#options
    // Prefixed, since other programs use channels too.
    const make = () => makeChannel(`rivulet/threads/${name}`)
    const connection = new Connection(make(), host)
    this.#connection = connection
    await connection.open(make, signal)
  }

  send(topic: Topic, frame: Uint8Array | string): 'sent' | 'offline' {
    return this.#connection?.send(topic, frame) ?? 'offline'
  }

  join(topic: Topic, signal: AbortSignal): Promise<void> {
    return this.#connection?.join(topic, signal) ?? Promise.reject(new Error('not open'))
  }

  watch(hub: string, signal: AbortSignal): Promise<void> {
    return this.#connection?.watch(hub, signal) ?? Promise.reject(new Error('not open'))
  }

  leave(topic: Topic): void {
    this.#connection?.leave(topic)
  }

  flush(signal: AbortSignal): Promise<void> {
    return this.#connection?.flush(signal) ?? Promise.reject(new Error('not open'))
  }

  async close(signal: AbortSignal): Promise<void> {
    await this.#connection?.close(signal)
  }
}
