import type { Capabilities, Topic, Transport, TransportHost } from 'rivulet'
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
  // Private also because it holds the credentials, which `util.inspect` must not find.
  readonly #options: ResolvedOptions
  // Each until its socket is gone: one that left a server in lame duck may still be flushing.
  readonly #connections = new Set<Connection>()
  #current: Connection | undefined
  #opening: { readonly cancel: AbortController; readonly done: Promise<void> } | undefined
  #maxFrameBytes = DEFAULT_MAX_PAYLOAD_BYTES
  #servers: readonly string[]
  #lastServer: string | undefined

  constructor(options: ResolvedOptions) {
    this.#options = options
    this.#servers = options.servers
  }

  get capabilities(): Capabilities {
    const maxFrameBytes = this.#current?.maxFrameBytes ?? this.#maxFrameBytes
    // Even a server on loopback may be part of a cluster or a leaf of one, and no client can tell.
    return { scope: 'network', echoes: false, ordered: true, maxFrameBytes: () => maxFrameBytes }
  }

  async open(host: TransportHost, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    const cancel = new AbortController()
    const onAbort = () => cancel.abort(signal.reason)
    signal.addEventListener('abort', onAbort, { once: true })
    const done = this.#connect(host, cancel.signal)
    this.#opening = { cancel, done }
    try {
      await done
    } finally {
      signal.removeEventListener('abort', onAbort)
      if (this.#opening?.done === done) this.#opening = undefined
    }
  }

  send(topic: Topic, frame: Uint8Array | string): 'sent' | 'offline' {
    return this.#current?.send(topic, frame) ?? 'offline'
  }

  join(topic: Topic, signal: AbortSignal): Promise<void> {
    return this.#current?.join(topic, signal) ?? Promise.reject(new Error('not connected'))
  }

  leave(topic: Topic): void {
    this.#current?.leave(topic)
  }

  flush(signal: AbortSignal): Promise<void> {
    return this.#current?.flush(signal) ?? Promise.reject(new Error('not connected'))
  }

  async close(signal: AbortSignal): Promise<void> {
    this.#current = undefined
    this.#opening?.cancel.abort(new Error('closed while connecting'))
    const closing = [...this.#connections].map((connection) => connection.close(signal))
    await Promise.all([this.#opening?.done.catch(() => {}), ...closing])
  }

  async #connect(host: TransportHost, signal: AbortSignal): Promise<void> {
    const { client: options, prefix, servers, discover } = this.#options
    const order = inRandomOrder(this.#servers, this.#lastServer)
    const { client, server } = await dialAny(order, options, signal)
    if (signal.aborted) {
      await client.close()
      throw signal.reason
    }
    const connection = new Connection(client, host, prefix)
    this.#lastServer = server
    this.#connections.add(connection)
    this.#current = connection
    this.#maxFrameBytes = connection.maxFrameBytes
    void connection.ended.then(() => {
      this.#connections.delete(connection)
      if (discover) this.#servers = [...new Set([...servers, ...connection.clusterServers])]
    })
  }
}

/** The server of the last connection comes last: it is the one most likely to be gone, stopped or leaving. */
function inRandomOrder(servers: readonly string[], last: string | undefined): string[] {
  return servers
    .map((server) => ({ server, rank: server === last ? 1 : Math.random() }))
    .sort((one, other) => one.rank - other.rank)
    .map(({ server }) => server)
}
