import type { Topic, Transport, TransportHost } from 'rivulet'
import { type Cluster, openCluster } from './cluster.ts'
import { Connection } from './connection.ts'
import { dialAny } from './dial.ts'
import { type RedisOptions, resolveOptions, type Server, type Settings } from './options.ts'

/**
 * Makes a transport over the channels of Redis or Valkey. Every open dials the servers in a random order until one
 * answers. Nothing is stored, replayed or queued: no Redis streams, no offline queue, no reconnecting below the core.
 * Throws `INVALID_OPTIONS`.
 */
export function redis(options: RedisOptions = {}): Transport {
  return new RedisTransport(resolveOptions(options))
}

class RedisTransport implements Transport {
  readonly name = 'redis'
  readonly capabilities = {
    // Even a server on loopback may have replicas or be a node of a cluster.
    ...({ scope: 'network', echoes: true, ordered: true } as const),
    // A server names none. What it enforces unasked (`proto-max-bulk-len`) cannot be set below 1 MB, which is four
    // times the largest frame of the core.
    maxFrameBytes: () => Number.POSITIVE_INFINITY,
  }
  // Private also because it holds the credentials, which `util.inspect` must not find.
  readonly #settings: Settings
  // Up or not: once it has told of its end, or was closed, it sends and joins nothing.
  #last: Connection | Cluster | undefined
  #cancelOpening = new AbortController()
  #opening: Promise<void> | undefined

  constructor(settings: Settings) {
    this.#settings = settings
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
    const servers = inRandomOrder(this.#settings.servers, this.#last?.server)
    const dialled = await dialAny(servers, this.#settings, signal)
    if (signal.aborted) dialled.client.destroy()
    signal.throwIfAborted()
    const isCluster = dialled.ranges !== undefined
    this.#last = isCluster
      ? await openCluster(dialled, host, this.#settings, signal)
      : new Connection(dialled, host)
  }
}

/** The server of the last connection comes last: it is the one most likely to be gone, stopped or leaving. */
function inRandomOrder(servers: readonly Server[], last: string | undefined): Server[] {
  const ranked = servers.map((server) => ({ server, rank: server.label === last ? 1 : Math.random() }))
  return ranked.sort((one, other) => one.rank - other.rank).map(({ server }) => server)
}
