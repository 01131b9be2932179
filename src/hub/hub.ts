import type { StandardSchemaV1 } from '@standard-schema/spec'
import { runOutside } from '../base/async-context.ts'
import { deferred } from '../base/deferred.ts'
import { hubs } from '../base/diagnostics.ts'
import { makeDisposable } from '../base/disposable.ts'
import { type Environment, realEnvironment } from '../base/environment.ts'
import type { MessageData, Snapshot } from '../message/snapshot-type.ts'
import type { Ledger } from '../state/ledger.ts'
import { checkSignalOption, type SignalOption, type StreamOptions } from '../state/options.ts'
import { StreamHandle } from '../stream/handle.ts'
import { checkEvent, Stream } from '../stream/stream.ts'
import type { Tap, TapListener } from '../tap/tap.ts'
import { HUB_EVENTS, type HubEvents, type HubListener, type HubStatus } from './events.ts'
import { type HubOptions, resolveHubOptions } from './options.ts'
import { type Flushed, Wiring } from './wiring.ts'

/**
 * Opens a hub. Synchronous: with a transport it starts connecting at once; see `ready`. Throws `INVALID_OPTIONS`,
 * `INVALID_NAME`.
 */
export function createHub(options: HubOptions = {}): Hub {
  return new Hub(options)
}

/** Holds streams by name, and their connection to other processes. */
export class Hub {
  readonly #wiring: Wiring
  #closing: Promise<Ledger> | undefined
  // Resolves to `undefined`, as `await using` requires.
  declare [Symbol.asyncDispose]: () => Promise<void>

  /** Use `createHub`. `environment` provides time and random numbers: see `createHubIn` of `rivulet/testing`. */
  constructor(options: HubOptions, environment: Environment = realEnvironment) {
    this.#wiring = new Wiring(resolveHubOptions(options), environment)
    if (hubs.hasSubscribers) hubs.publish({ hub: this })
    void runOutside(() => this.#wiring.remote?.connection.run())
  }

  /**
   * Returns the wiring of a hub. For the library's other entries.
   * @internal
   */
  static wiringOf(hub: Hub): Wiring {
    return hub.#wiring
  }

  /** The namespace. */
  get name(): string {
    return this.#wiring.state.name
  }

  /** The connection status; messages reach other processes while it is `up`. */
  get status(): HubStatus {
    return this.#wiring.status
  }

  /**
   * Returns the stream of that name, opened at the first use; the same name gives the same object until it ends. Throws
   * `INVALID_NAME`, `INVALID_OPTIONS`, `HUB_CLOSED`, or `STREAM_OPTIONS_CONFLICT` when an option differs from that of
   * the open stream (a schema is compared by identity).
   */
  stream<Schema extends StandardSchemaV1<object, unknown>>(
    name: string,
    options: StreamOptions & { readonly schema: Schema },
  ): Stream<StandardSchemaV1.InferInput<Schema> & object, StandardSchemaV1.InferOutput<Schema>>
  stream(
    name: string,
    options?: StreamOptions & { readonly schema?: undefined },
  ): Stream<MessageData, Readonly<Record<string, unknown>>>
  stream<In extends MessageData, Out = Snapshot<In>>(
    name: string,
    options?: StreamOptions<In, Out>,
  ): Stream<In, Out>
  stream(name: string, options?: StreamOptions): Stream {
    const stream = this.#wiring.open(name, options, false)
    Stream.givenOut(stream)
    return stream
  }

  /**
   * Returns a handle of the stream of that name, which is opened like by `stream`: for parts of a program that share a
   * stream and do not know of each other. The stream ends when the last of its handles is released, unless `stream`
   * returned it, too: then `close` ends it. Throws like `stream`.
   */
  acquire<Schema extends StandardSchemaV1<object, unknown>>(
    name: string,
    options: StreamOptions & { readonly schema: Schema },
  ): StreamHandle<StandardSchemaV1.InferInput<Schema> & object, StandardSchemaV1.InferOutput<Schema>>
  acquire(
    name: string,
    options?: StreamOptions & { readonly schema?: undefined },
  ): StreamHandle<MessageData, Readonly<Record<string, unknown>>>
  acquire<In extends MessageData, Out = Snapshot<In>>(
    name: string,
    options?: StreamOptions<In, Out>,
  ): StreamHandle<In, Out>
  acquire(name: string, options?: StreamOptions): StreamHandle {
    return new StreamHandle(this.#wiring.open(name, options, true))
  }

  /** Iterates the open streams. */
  *streams(): IterableIterator<Stream> {
    yield* [...this.#wiring.streams.values()]
  }

  /**
   * Resolves when the status is `up` and every join wanted by then has its outcome, at once when `local`. Rejects
   * `HUB_CLOSED` when closed, `TRANSPORT_FAILED` at once while the broker refuses for good (credentials, certificate),
   * or with `signal.reason`. A rejection without a handler is not reported as unhandled.
   */
  ready(options?: SignalOption): Promise<void> {
    const ready = this.#ready(options)
    ready.catch(ignore) // a broker that refuses must not end a program that does not wait
    return ready
  }

  /**
   * Resolves when every message published before is confirmed, unconfirmed or lost, to the number of each, of messages
   * published in this tick or in flight at the call. Without a transport these are 0. Rejects with `signal.reason`.
   */
  async flush(options?: SignalOption): Promise<Flushed> {
    const signal = checkSignalOption('flush', options)
    this.#wiring.assertOpen()
    return this.#wiring.flush(signal)
  }

  /**
   * Calls the listener with the messages that other processes publish on every stream of the hub.
   * @deprecated Use `tapHub(hub, listener, options)` of `rivulet/tap`, which is the same.
   */
  tap(listener: TapListener, options?: SignalOption): Tap {
    return this.#wiring.tap(listener, options)
  }

  /** Returns the outcomes of all attempts and received messages of all streams, closed ones included. */
  ledger(): Ledger {
    return this.#wiring.state.totals.ledger()
  }

  /**
   * Calls `listener` at every such event. If it throws, the others still run and the error is counted. Throws
   * `INVALID_OPTIONS`, `HUB_CLOSED`.
   */
  on<Name extends keyof HubEvents>(event: Name, listener: HubListener<Name>): this {
    return this.#listen(event, listener, false)
  }

  /** Calls `listener` at the next such event only. Throws like `on`. */
  once<Name extends keyof HubEvents>(event: Name, listener: HubListener<Name>): this {
    return this.#listen(event, listener, true)
  }

  /** Removes a listener of `on` or `once`; a running emit does not call it either. Throws `INVALID_OPTIONS`. */
  off<Name extends keyof HubEvents>(event: Name, listener: HubListener<Name>): this {
    checkEvent(HUB_EVENTS, event, listener)
    this.#wiring.listeners.remove(event, listener)
    return this
  }

  /**
   * Ends every stream, sends all published messages, disconnects, and resolves to the final ledger: within
   * `timeouts.closeMs`, whatever the broker does. While the hub is up, values that `publishLatest` kept are published
   * first, as far as capacity comes within two fifths of that time. Any number of times. Same as `Symbol.asyncDispose`.
   */
  close(): Promise<Ledger> {
    if (this.#closing !== undefined) return this.#closing
    const closing = runOutside(() => deferred<Ledger>())
    this.#closing = closing.promise
    closing.resolve(this.#wiring.close()) // a listener of a stream's end may call `close` again
    return closing.promise
  }

  /** Shows the name, the status and the counts in Node's `console.log`. */
  [Symbol.for('nodejs.util.inspect.custom')](): object {
    const { name, status } = this
    const { remote, streams } = this.#wiring
    const attempts = remote && { failedAttempts: remote.connection.failedAttempts }
    return { hub: name, status, ...attempts, streams: [...streams.keys()], ledger: this.ledger() }
  }

  async #ready(options: SignalOption | undefined): Promise<void> {
    const signal = checkSignalOption('ready', options)
    this.#wiring.assertOpen()
    await this.#wiring.remote?.connection.ready(signal)
  }

  #listen(event: keyof HubEvents, listener: HubListener<never>, isOnce: boolean): this {
    this.#wiring.assertOpen()
    checkEvent(HUB_EVENTS, event, listener)
    this.#wiring.listeners.add(event, listener, isOnce)
    return this
  }
}

makeDisposable(Hub.prototype, 'asyncDispose', 'close')

function ignore(): void {}
