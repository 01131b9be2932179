import type { Topic, Transport, TransportHost } from 'rivulet'
import { MAX_PAGE_FRAME_BYTES } from '../base/protocol.ts'
import { Connection } from './connection.ts'
import { type ResolvedOptions, resolveOptions, type WebSocketOptions } from './options.ts'

/**
 * Makes a transport over a WebSocket to a server that relays frames, as `@rivulet/gateway` has one. It is made of
 * web globals only. Nothing is queued, replayed or reconnected below the core. Throws `INVALID_OPTIONS`.
 */
export function websocket(options: WebSocketOptions): Transport {
  return new WebSocketTransport(resolveOptions(options))
}

/**
 * Makes the transport that URLs describe: `ws://host/path`, or `wss://`. Several URLs are several servers of the
 * same hubs, taken in turn. For a server that asks for a token use `websocket`. Throws `INVALID_OPTIONS`.
 */
export function transportFromUrls(urls: readonly string[]): Transport {
  return new WebSocketTransport(resolveOptions({ url: '' }, urls))
}

/** How many proofs of prefixes are kept: a hub takes another prefix after 65 536 streams. */
const MAX_PROOFS = 4

class WebSocketTransport implements Transport {
  readonly name = 'websocket'
  readonly capabilities
  // Private also because it holds what gives the token.
  readonly #options: ResolvedOptions
  /** By prefix: shows another server that the prefix is this page's. */
  readonly #proofs = new Map<string, string>()
  #connection: Connection | undefined
  #attempts = 0

  constructor(options: ResolvedOptions) {
    this.#options = options
    const ordered = () => this.#connection?.welcome?.ordered ?? true
    this.capabilities = {
      ...({ scope: 'network', echoes: false } as const),
      get ordered() {
        return ordered()
      },
      maxFrameBytes: () => this.#connection?.welcome?.maxFrameBytes ?? MAX_PAGE_FRAME_BYTES,
    }
  }

  async open(host: TransportHost, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    const { urls } = this.#options
    const url = urls[this.#attempts++ % urls.length] as string
    const connection = new Connection(url, this.#options, host, (prefix, proof) => this.#keep(prefix, proof))
    this.#connection = connection
    await connection.open(Object.fromEntries(this.#proofs), signal)
    this.#attempts-- // a server that answers is kept
  }

  send(topic: Topic, frame: Uint8Array | string): 'sent' | 'offline' {
    return this.#connection?.send(topic, frame) ?? 'offline'
  }

  join(topic: Topic, signal: AbortSignal): Promise<void> {
    return this.#connection?.join(topic, signal) ?? Promise.reject(new Error('not connected'))
  }

  leave(topic: Topic): void {
    this.#connection?.leave(topic)
  }

  flush(signal: AbortSignal): Promise<void> {
    return this.#connection?.flush(signal) ?? Promise.reject(new Error('not connected'))
  }

  async close(signal: AbortSignal): Promise<void> {
    await this.#connection?.close(signal)
  }

  #keep(prefix: string, proof: string): void {
    this.#proofs.delete(prefix)
    this.#proofs.set(prefix, proof)
    const [oldest] = this.#proofs.keys()
    if (this.#proofs.size > MAX_PROOFS && oldest !== undefined) this.#proofs.delete(oldest)
  }
}
