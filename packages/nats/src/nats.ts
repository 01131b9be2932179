import type { Topic, Transport, TransportHost } from 'rivulet'
import { Connection } from './connection.ts'
import { dialAny } from './dial.ts'
import { type NatsOptions, type ResolvedOptions, resolveOptions } from './options.ts'

/**
 * Makes a transport over NATS core subjects. Every open dials the servers in a random order until one answers.
 * Nothing is stored, replayed or queued: no JetStream, no queue groups, no reconnecting below the core.
 * Throws `INVALID_OPTIONS`.
 */
export function nats(options: NatsOptions = {}): Transport {
  return new NatsTransport(resolveOptions(options))
}

// What a nats-server takes unless it is configured otherwise (`max_payload`); stands until the first `open`.
const DEFAULT_MAX_PAYLOAD_BYTES = 1_048_576

class NatsTransport implements Transport {
  readonly name = 'nats'
  // Even a server on loopback may be part of a cluster or a leaf of one, and no client can tell.
  readonly capabilities = {
    ...({ scope: 'network', echoes: false, ordered: true } as const),
    // The same for every topic: a server does not count the subject.
    maxFrameBytes: () => this.#last?.maxFrameBytes ?? DEFAULT_MAX_PAYLOAD_BYTES,
  }
  // Private also because it holds the credentials, which `util.inspect` must not find.
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
    return this.#last?.join(topic, signal) ?? Promise.reject(new Error('not connected'))
  }

  leave(topic: Topic): void {
    this.#last?.leave(topic)
  }

  flush(signal: AbortSignal): Promise<void> {
    return this.#last?.flush(signal) ?? Promise.reject(new Error('not connected'))
  }

  async close(signal: AbortSignal): Promise<void> {
    this.#cancelOpening.abort(new Error('closed while connecting'))
    await Promise.allSettled([this.#opening, this.#last?.close(signal)])
  }

  async #connect(host: TransportHost, signal: AbortSignal): Promise<void> {
    const { client, prefix, servers, discover } = this.#options
    const known = new Set([...servers, ...((discover && this.#last?.clusterServers) || [])])
    const dialled = await dialAny(inRandomOrder([...known], this.#last?.server), client, signal)
    if (signal.aborted) await dialled.client.close()
    signal.throwIfAborted()
    this.#last = new Connection(dialled, host, prefix)
  }
}

/** The server of the last connection comes last: it is the one most likely to be gone, stopped or leaving. */
function inRandomOrder(servers: readonly string[], last: string | undefined): string[] {
  const ranked = servers.map((server) => ({ server, rank: server === last ? 1 : Math.random() }))
  return ranked.sort((one, other) => one.rank - other.rank).map(({ server }) => server)
}
