import { RivuletError, type Topic, type Transport, type TransportHost } from 'rivulet'
import { MAX_PAGE_FRAME_BYTES } from '../base/protocol.ts'
import { Connection } from './connection.ts'
import { refusedForNow } from './endings.ts'
import { type ResolvedOptions, resolveOptions, type WebSocketOptions } from './options.ts'

/**
 * The refusal of a token is for good at so many in a row, which takes a second or two: the token may be the error page of a
 * proxy, behind which what signs tokens is starting again.
 */
const MAX_REFUSALS = 5

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

class WebSocketTransport implements Transport {
  readonly name = 'websocket'
  readonly capabilities
  // Private also because it holds what gives the token.
  readonly #options: ResolvedOptions
  /** The server gives the prefixes that belong to it: one for each hub, or its sids were those of the hub before. */
  #secret = newSecret()
  #connection: Connection | undefined
  #attempts = 0
  /** Tokens that were refused in a row. */
  #refusals = 0

  constructor(options: ResolvedOptions) {
    this.#options = options
    const welcome = () => this.#connection?.welcome
    this.capabilities = {
      ...({ scope: 'network', echoes: false, watch: false } as const),
      get ordered() {
        return welcome()?.ordered ?? true
      },
      get prefixes() {
        return welcome()?.prefixes
      },
      maxFrameBytes: () => welcome()?.maxFrameBytes ?? MAX_PAGE_FRAME_BYTES,
    }
  }

  async open(host: TransportHost, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    const { urls } = this.#options
    const url = urls[this.#attempts++ % urls.length] as string
    const connection = new Connection(url, this.#options, host)
    this.#connection = connection
    try {
      await connection.open(this.#secret, signal)
    } catch (cause) {
      const isPassing = connection.isRefused && ++this.#refusals < MAX_REFUSALS
      throw isPassing && RivuletError.is(cause) ? refusedForNow(cause) : cause
    }
    this.#refusals = 0
    this.#attempts-- // a server that answers is kept
  }

  send(topic: Topic, frame: Uint8Array | string): 'sent' | 'offline' {
    return this.#connection?.send(topic, frame) ?? 'offline'
  }

  join(topic: Topic, signal: AbortSignal): Promise<void> {
    return this.#connection?.join(topic, signal) ?? Promise.reject(new Error('not connected'))
  }

  watch(): Promise<void> {
    const advice = 'watch on a service, whose hub is on a broker or on the relay'
    return Promise.reject(new Error(`A page cannot hear every stream of a hub; ${advice}.`))
  }

  leave(topic: Topic): void {
    this.#connection?.leave(topic)
  }

  flush(signal: AbortSignal): Promise<void> {
    return this.#connection?.flush(signal) ?? Promise.reject(new Error('not connected'))
  }

  bufferedBytes(): number {
    return this.#connection?.bufferedBytes() ?? 0
  }

  async close(signal: AbortSignal): Promise<void> {
    // Closed on purpose: the next `open` may be of another hub. After an outage the signal has aborted already.
    if (!signal.aborted) this.#secret = newSecret()
    await this.#connection?.close(signal)
  }
}

function newSecret(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16))
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
}
