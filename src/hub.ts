import type { StandardSchemaV1 } from '@standard-schema/spec'
import { Channel, type ChannelHost, type StreamEvents } from './channel.ts'
import { abortable } from './deadline.ts'
import { deferred } from './deferred.ts'
import { makeDisposable } from './disposable.ts'
import { RivuletError } from './errors.ts'
import { Events } from './events.ts'
import { type HubOptions, resolveHubOptions } from './hub-options.ts'
import { Counters, type Ledger } from './ledger.ts'
import { Link, type LinkStatus } from './link.ts'
import { checkSameOptions, type ResolvedOptions, resolveOptions, type StreamOptions } from './options.ts'
import { HubPeers } from './peers.ts'
import { Refusal } from './refusal.ts'
import { RetiredOrigins } from './retired-origins.ts'
import type { Snapshot } from './snapshot-type.ts'
import { Stream } from './stream.ts'
import { checkStreamName, streamNameOf, type Topic } from './topic.ts'

/** Where a hub stands: `local` has no transport. */
export type HubStatus = 'local' | LinkStatus

/** A hub's events, with what each one carries. */
export interface HubEvents {
  /** The connection changed. */
  status: HubStatus
  /** What no listener of a stream's `error` took, and what concerns the connection. */
  error: unknown
  /** A stream was removed or expired. */
  streamRemoved: StreamEvents['removed'] & { readonly name: string }
}

/** Data of a stream that was opened without a type: an object, but no list. */
type AnyData = Record<string, unknown> | (object & { readonly [Symbol.iterator]?: never })

/** Opens a hub. Synchronous: with a transport it starts connecting; see `ready`. Throws `INVALID_OPTIONS`, `INVALID_NAME`. */
export function createHub(options: HubOptions = {}): Hub {
  return new Hub(options)
}

/** Holds streams by name, and their connection to other processes. */
export class Hub {
  readonly #name: string
  readonly #defaults: ResolvedOptions
  readonly #named: ReadonlyMap<string, ResolvedOptions>
  readonly #streams = new Map<string, Stream>()
  readonly #events = new Events<HubEvents>((error) => this.#listenerThrew(error))
  /** Closed streams, and frames that belong to none. */
  readonly #totals = new Counters()
  readonly #retired: RetiredOrigins
  readonly #host: ChannelHost
  readonly #link: Link | undefined
  #isClosed = false
  #closing: Promise<Ledger> | undefined
  readonly #logged = new Set<string>()
  // A promise of nothing, as `await using` asks for.
  declare [Symbol.asyncDispose]: () => Promise<void>

  /** Use `createHub`. */
  constructor(options: HubOptions) {
    const { name, transport, streamDefaults, streams, maxInFlightBytes, acceptRemoval, nowMs } =
      resolveHubOptions(options)
    this.#name = name
    this.#defaults = streamDefaults
    this.#named = new Map(
      Object.entries(streams).map(([stream, given]) => [
        checkStreamName(stream),
        resolveOptions(given, streamDefaults),
      ]),
    )
    this.#retired = new RetiredOrigins(nowMs)
    this.#link = transport && new Link(transport, this.#linkOwner(nowMs), maxInFlightBytes)
    this.#host = this.#channelHost(nowMs, acceptRemoval)
    void this.#link?.run()
  }

  /** The namespace. */
  get name(): string {
    return this.#name
  }

  /** Whether messages reach other processes now: `up`, or why not. */
  get status(): HubStatus {
    if (this.#isClosed) return 'closed'
    return this.#link === undefined ? 'local' : this.#link.status
  }

  /**
   * Returns the stream of that name, opened at the first use; the same name gives the same object until it ends.
   * Throws `INVALID_NAME`, `INVALID_OPTIONS`, `HUB_CLOSED`, or `STREAM_OPTIONS_CONFLICT` when an option differs
   * from what the stream was opened with (a schema is compared by identity).
   */
  stream<Schema extends StandardSchemaV1<object, unknown>>(
    name: string,
    options: StreamOptions & { readonly schema: Schema },
  ): Stream<StandardSchemaV1.InferInput<Schema> & object, StandardSchemaV1.InferOutput<Schema>>
  stream(
    name: string,
    options?: StreamOptions & { readonly schema?: undefined },
  ): Stream<AnyData, Readonly<Record<string, unknown>>>
  stream<In extends object, Out = Snapshot<In>>(
    name: string,
    options?: StreamOptions<In, Out>,
  ): Stream<In, Out>
  stream(name: string, options?: StreamOptions): Stream {
    this.#assertOpen()
    const open = this.#streams.get(name)
    if (open !== undefined) {
      if (options !== undefined) checkSameOptions(name, options, Stream.channelOf(open).options)
      return open
    }
    checkStreamName(name)
    const resolved = resolveOptions(options, this.#named.get(name) ?? this.#defaults)
    // Reading the options may have run code that closed the hub, or opened the stream.
    if (this.#isClosed || this.#streams.has(name))
      return this.stream(name, resolved as StreamOptions) as Stream
    const stream = new Stream(new Channel(name, resolved, this.#host))
    this.#streams.set(name, stream)
    return stream
  }

  /** Iterates the open streams. */
  *streams(): IterableIterator<Stream> {
    yield* [...this.#streams.values()]
  }

  /**
   * Resolves when the status is `up`, at once when `local`. Rejects `HUB_CLOSED` when closed, `TRANSPORT_FAILED` at
   * once while the broker refuses for good (credentials, certificate), or with `signal.reason`.
   */
  async ready(options: { readonly signal?: AbortSignal } = {}): Promise<void> {
    this.#assertOpen()
    await this.#link?.ready(options.signal)
  }

  /** Resolves when everything published before is confirmed, unconfirmed or lost. Rejects with `signal.reason`. */
  async flush(options: { readonly signal?: AbortSignal } = {}): Promise<void> {
    this.#assertOpen()
    if (this.#link !== undefined) await abortable(this.#link.flush(), options.signal)
  }

  /** Returns where every attempt and received message of all streams ended, closed ones included. */
  ledger(): Ledger {
    const sum = new Counters()
    this.#totals.addTo(sum)
    for (const stream of this.#streams.values()) Stream.channelOf(stream).counters.addTo(sum)
    return sum.ledger()
  }

  /** Calls `listener` at every such event. A listener that throws hurts nobody. Throws `HUB_CLOSED`. */
  on<Name extends keyof HubEvents>(event: Name, listener: (payload: HubEvents[Name]) => void): this {
    this.#assertOpen()
    this.#events.on(event, listener)
    return this
  }

  /** Ends what `on` began. */
  off<Name extends keyof HubEvents>(event: Name, listener: (payload: HubEvents[Name]) => void): this {
    this.#events.off(event, listener)
    return this
  }

  /**
   * Ends every stream, hands over what was published, disconnects, and resolves to the final ledger: within about
   * five seconds whatever the broker does. Any number of times. Same as `Symbol.asyncDispose`.
   */
  close(): Promise<Ledger> {
    if (this.#closing !== undefined) return this.#closing
    this.#isClosed = true
    const closing = deferred<Ledger>()
    this.#closing = closing.promise
    closing.resolve(this.#close()) // what ends with a stream may call `close` again
    return closing.promise
  }

  async #close(): Promise<Ledger> {
    for (const stream of [...this.#streams.values()]) stream.close()
    if (this.#link === undefined) this.#events.emit('status', () => 'closed' as const)
    await this.#link?.close() // a tick at the least: who calls may stand inside a stream's end
    this.#events.clear()
    return this.ledger()
  }

  #assertOpen(): void {
    if (this.#isClosed) throw new Refusal('HUB_CLOSED').error
  }

  #channelHost(nowMs: () => number, acceptsRemoval: boolean): ChannelHost {
    const hub = this
    return {
      ...{ name: this.#name, link: this.#link, peers: new HubPeers(), nowMs, acceptsRemoval },
      get isClosed() {
        return hub.#isClosed
      },
      isRetired: (origin) => this.#retired.has(origin),
      report: (error) => this.#report(error),
      retire: (channel, removal) => this.#retire(channel, removal),
    }
  }

  #linkOwner(nowMs: () => number) {
    return {
      nowMs,
      statusChanged: (status: LinkStatus) => this.#events.emit('status', () => status),
      failed: (error: unknown, topic?: Topic) => {
        const stream = topic === undefined ? undefined : this.#streams.get(streamNameOf(topic))
        if (stream !== undefined) Stream.channelOf(stream).report(error)
        else if (!this.#report(error)) this.#log(error)
      },
      receivedUnasked: () => this.#totals.drop('notJoined'),
    }
  }

  #retire(channel: Channel, removal: StreamEvents['removed'] | undefined): void {
    this.#streams.delete(channel.name)
    channel.counters.foldInto(this.#totals)
    const { maxAgeMs } = channel.options
    if (this.#link !== undefined && channel.origin !== undefined) this.#retired.add(channel.origin, maxAgeMs)
    if (removal !== undefined) this.#events.emit('streamRemoved', () => ({ ...removal, name: channel.name }))
  }

  #listenerThrew(error: unknown): void {
    this.#totals.listenerErrors++
    this.#log(error)
  }

  #report(error: unknown): boolean {
    if (!this.#events.has('error')) return false
    this.#events.emit('error', () => error)
    return true
  }

  /** Once for each kind of error, so that a broken broker does not fill the log. */
  #log(error: unknown): void {
    const kind = RivuletError.is(error) ? error.code : error instanceof Error ? error.name : typeof error
    if (this.#logged.has(kind)) return
    this.#logged.add(kind)
    globalThis.console?.error(
      `rivulet: an error in hub "${this.#name}" (listen to its error event to see all):`,
      error,
    )
  }
}

makeDisposable(Hub.prototype, 'asyncDispose', 'close')
