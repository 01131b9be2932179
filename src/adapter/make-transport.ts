import type { PlatformSignal } from '../base/platform-signal.ts'
import type { Capabilities, Transport, TransportHost } from '../connection/transport.ts'
import { RivuletError } from '../errors/errors.ts'
import type { Topic } from '../message/topic.ts'

/**
 * One connection of an adapter, from when it is open to its end. Each method keeps the rules of the same method of
 * `Transport`; once the connection has reported its end, or was closed, it sends and joins nothing.
 */
export type TransportConnection = Pick<
  Transport,
  'send' | 'join' | 'leave' | 'watch' | 'flush' | 'bufferedBytes' | 'close'
>

/** The part of a transport that each adapter writes: connecting, and the capabilities of its connections. */
export interface Adapter<Connection extends TransportConnection> {
  /** The name of the transport. */
  readonly name: string
  /** Returns the capabilities. `last`: the connection that was opened last; `undefined` before the first. */
  capabilities(last: Connection | undefined): Capabilities
  /**
   * Opens a connection. Rejects as `open` of `Transport` does, also when `signal` aborts: the transport was closed, or
   * the core gives up. `last`: as above; it has ended.
   */
  connect(host: TransportHost, signal: PlatformSignal, last: Connection | undefined): Promise<Connection>
}

/**
 * Makes a transport of an adapter that has one connection at a time: it hands everything to the connection that was
 * opened last, and `close` ends one that is being opened, too. The adapter's secrets stay out of `inspect` and JSON.
 */
export function makeTransport<Connection extends TransportConnection>(
  adapter: Adapter<Connection>,
): Transport {
  return new ConnectingTransport(adapter)
}

class ConnectingTransport<Connection extends TransportConnection> implements Transport {
  readonly name: string
  capabilities: Capabilities
  readonly #adapter: Adapter<Connection>
  #last: Connection | undefined
  #cancelOpening = new AbortController()
  #opening: Promise<void> | undefined

  constructor(adapter: Adapter<Connection>) {
    this.name = adapter.name
    this.capabilities = adapter.capabilities(undefined)
    this.#adapter = adapter
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
    return this.#last?.join(topic, signal) ?? Promise.reject(notOpen())
  }

  leave(topic: Topic): void {
    this.#last?.leave(topic)
  }

  watch(hub: string, signal: AbortSignal): Promise<void> {
    return this.#last?.watch(hub, signal) ?? Promise.reject(notOpen())
  }

  flush(signal: AbortSignal): Promise<void> {
    return this.#last?.flush(signal) ?? Promise.reject(notOpen())
  }

  bufferedBytes(): number {
    return this.#last?.bufferedBytes?.() ?? 0
  }

  async close(signal: AbortSignal): Promise<void> {
    this.#cancelOpening.abort(unavailable('The transport was closed while it connected.'))
    await Promise.allSettled([this.#opening, this.#last?.close(signal)])
  }

  async #connect(host: TransportHost, signal: AbortSignal): Promise<void> {
    const connection = await this.#adapter.connect(host, signal, this.#last)
    // The connection opened in the same moment in which the signal aborted.
    if (signal.aborted) await connection.close(signal)
    signal.throwIfAborted()
    this.capabilities = this.#adapter.capabilities(connection)
    this.#last = connection
  }
}

function notOpen(): RivuletError {
  return unavailable('The transport has no connection; open it first.')
}

function unavailable(message: string): RivuletError {
  return new RivuletError('TRANSPORT_UNAVAILABLE', message)
}
