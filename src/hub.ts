import type { StandardSchemaV1 } from '@standard-schema/spec'
import { runOutside } from './base/async-context.ts'
import { abortable } from './base/deadline.ts'
import { deferred } from './base/deferred.ts'
import { hubs, statuses } from './base/diagnostics.ts'
import { makeDisposable } from './base/disposable.ts'
import { Clock, type Environment, outside, realEnvironment } from './base/environment.ts'
import { Events } from './base/events.ts'
import { SignalActions } from './base/signals.ts'
import { Turns } from './base/turns.ts'
import { Connection } from './connection/connection.ts'
import type { ConnectionStatus } from './connection/joins.ts'
import { type HubOptions, type ResolvedHubOptions, resolveHubOptions } from './hub-options.ts'
import { invalid, messageOf, named, RivuletError } from './model/errors.ts'
import { Counters, type Ledger } from './model/ledger.ts'
import {
  checkFunction,
  checkSameOptions,
  checkSignalOption,
  DEFAULT_OPTIONS,
  resolveOptions,
  type SignalOption,
  type StreamOptions,
} from './model/options.ts'
import { Origins } from './model/origins.ts'
import { Refusal } from './model/refusal.ts'
import { log, report } from './model/report.ts'
import type { MessageData, Snapshot } from './model/snapshot-type.ts'
import { type HubState, type StreamEvents, StreamState } from './model/stream-state.ts'
import { checkStreamName, nameIn, type Topic } from './model/topic.ts'
import type { Transport } from './model/transport.ts'
import { Inboxes } from './receive/inboxes.ts'
import { Outboxes } from './send/outbox.ts'
import { endStream } from './stream/ending.ts'
import { checkEvent, Stream } from './stream/stream.ts'
import { Tap, type TapListener } from './tap.ts'

/** How a hub stands: `local` has no transport. */
export type HubStatus = 'local' | ConnectionStatus

/** A hub's events, with what each one carries. */
export interface HubEvents {
  /** The connection changed. The second argument of the listener has `failedAttempts` to connect since it was up. */
  status: HubStatus
  /** An error of the connection, or of a stream whose own `error` nobody listens to. */
  error: RivuletError
  /** A stream was removed or expired. */
  streamRemoved: StreamEvents['removed'] & { readonly name: string }
}

/** What a listener of `status` gets beside the status. */
export interface StatusDetail {
  /** Attempts to connect that failed since the connection was up. */
  readonly failedAttempts: number
}

type HubListener<Name extends keyof HubEvents> = (payload: HubEvents[Name], detail: StatusDetail) => unknown

const HUB_EVENTS: readonly (keyof HubEvents)[] = ['status', 'error', 'streamRemoved']

/**
 * Opens a hub. Synchronous: with a transport it starts connecting at once; see `ready`. Throws `INVALID_OPTIONS`,
 * `INVALID_NAME`.
 */
export function createHub(options: HubOptions = {}): Hub {
  return new Hub(options)
}

/** The sending and receiving sides of a hub with a transport. */
interface Remote {
  readonly connection: Connection
  readonly outboxes: Outboxes
  readonly inboxes: Inboxes
  /** Stands for all streams of the hub; its subscribers are taps. */
  readonly everything: StreamState
}

/** Holds streams by name, and their connection to other processes. */
export class Hub {
  readonly #options: ResolvedHubOptions
  readonly #streams = new Map<string, Stream>()
  readonly #events = new Events<HubEvents>((...thrown) => this.#listenerFailed(...thrown))
  readonly #state: HubState
  readonly #remote: Remote | undefined
  #closing: Promise<Ledger> | undefined
  readonly #logged = new Set<string>()
  // A promise of nothing, as `await using` asks for.
  declare [Symbol.asyncDispose]: () => Promise<void>

  /** Use `createHub`. `environment` gives time and chance: see `createHubIn` of `rivulet/testing`. */
  constructor(options: HubOptions, environment: Environment = realEnvironment) {
    this.#options = resolveHubOptions(options)
    const { name, acceptRemoval, nowMs, transport } = this.#options
    const outsideRequests = outside(environment)
    this.#state = {
      ...{ name, environment: outsideRequests, acceptsRemoval: acceptRemoval, isClosed: false },
      clock: clockOf(environment, nowMs),
      origins: new Origins(() => environment.random()),
      turns: new Turns(outsideRequests),
      signals: new SignalActions(),
      totals: new Counters(),
      ...{ outboxes: undefined, inboxes: undefined },
      ended: (state) => this.#ended(state),
      removed: ({ name }, removal) => this.#events.emit('streamRemoved', { ...removal, name }),
      report: (error) => this.#report(error),
    }
    this.#remote = transport && runOutside(() => this.#connect(transport))
    if (hubs.hasSubscribers) hubs.publish({ hub: this })
    void runOutside(() => this.#remote?.connection.run())
  }

  /** The namespace. */
  get name(): string {
    return this.#state.name
  }

  /** Whether messages reach other processes now: `up`, or why not. */
  get status(): HubStatus {
    if (this.#state.isClosed) return 'closed'
    return this.#remote === undefined ? 'local' : this.#remote.connection.status
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
  ): Stream<MessageData, Readonly<Record<string, unknown>>>
  stream<In extends MessageData, Out = Snapshot<In>>(
    name: string,
    options?: StreamOptions<In, Out>,
  ): Stream<In, Out>
  stream(name: string, options?: StreamOptions): Stream {
    this.#assertOpen()
    const open = this.#streams.get(name)
    if (open !== undefined) {
      if (options !== undefined) checkSameOptions(name, this.name, options, Stream.optionsOf(open))
      return open
    }
    checkStreamName(name)
    const resolved = resolveOptions(options, this.#options.streams.get(name) ?? this.#options.streamDefaults)
    // Reading the options may have run code that closed the hub, or opened the stream.
    if (this.#state.isClosed || this.#streams.has(name))
      return this.stream(name, resolved as StreamOptions) as Stream
    const stream = new Stream(name, this.#state, resolved)
    this.#streams.set(name, stream)
    return stream
  }

  /** Iterates the open streams. */
  *streams(): IterableIterator<Stream> {
    yield* [...this.#streams.values()]
  }

  /**
   * Resolves when the status is `up` and every join wanted by then is answered, at once when `local`. Rejects
   * `HUB_CLOSED` when closed, `TRANSPORT_FAILED` at once while the broker refuses for good (credentials,
   * certificate), or with `signal.reason`.
   */
  async ready(options?: SignalOption): Promise<void> {
    const signal = checkSignalOption('ready', options)
    this.#assertOpen()
    await this.#remote?.connection.ready(signal)
  }

  /** Resolves when everything published before is confirmed, unconfirmed or lost. Rejects with `signal.reason`. */
  async flush(options?: SignalOption): Promise<void> {
    const signal = checkSignalOption('flush', options)
    this.#assertOpen()
    const remote = this.#remote
    if (remote === undefined) return
    const flushed = runOutside(() => flush(remote))
    await abortable(flushed, signal)
  }

  /**
   * Calls `listener` with every message that other processes publish on any stream of the hub, until `signal` aborts or
   * it is unsubscribed. For tools: it joins no stream, changes no stream's ledger, checks form, repeats and a size of
   * 65 536 bytes, and applies no limit, age or schema. Its `ready` rejects where the broker denies that, or the
   * transport can't (capability `watch`). Throws `HUB_CLOSED`, and `INVALID_OPTIONS` on a hub without a transport.
   */
  tap(listener: TapListener, options?: SignalOption): Tap {
    const signal = checkSignalOption('tap', options)
    checkFunction('listener', listener)
    this.#assertOpen()
    const remote = this.#remote
    if (remote === undefined) throw invalid('A tap hears other processes; give the hub a transport.')
    return new Tap(remote.everything, remote.connection.confirmations, listener).enter(ignore, signal)
  }

  /** Returns where every attempt and received message of all streams ended, closed ones included. */
  ledger(): Ledger {
    return this.#state.totals.ledger()
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

  /** Ends what `on` or `once` began; a running emit does not call the listener either. Throws `INVALID_OPTIONS`. */
  off<Name extends keyof HubEvents>(event: Name, listener: HubListener<Name>): this {
    checkEvent(HUB_EVENTS, event, listener)
    this.#events.off(event, listener)
    return this
  }

  /**
   * Ends every stream, hands over what was published, disconnects, and resolves to the final ledger: within
   * `timeouts.closeMs` whatever the broker does. Any number of times. Same as `Symbol.asyncDispose`.
   */
  close(): Promise<Ledger> {
    if (this.#closing !== undefined) return this.#closing
    this.#state.isClosed = true
    const closing = runOutside(() => deferred<Ledger>())
    this.#closing = closing.promise
    closing.resolve(this.#close()) // what ends with a stream may call `close` again
    return closing.promise
  }

  /** Shows the name, the status and the counts in Node's `console.log`. */
  [Symbol.for('nodejs.util.inspect.custom')](): object {
    const { name, status } = this
    const attempts = this.#remote && { failedAttempts: this.#remote.connection.failedAttempts }
    return { hub: name, status, ...attempts, streams: [...this.#streams.keys()], ledger: this.ledger() }
  }

  async #close(): Promise<Ledger> {
    for (const stream of [...this.#streams.values()]) stream.close()
    const remote = this.#remote
    for (const tap of tapsOf(remote)) tap.unsubscribe()
    if (remote === undefined) this.#emitStatus('closed')
    await undefined // whoever closes may stand inside a stream's end, or inside a fan-out
    if (remote !== undefined) await runOutside(() => hangUp(remote))
    this.#state.turns.end()
    this.#events.clear()
    return this.ledger()
  }

  #connect(transport: Transport): Remote {
    const state = this.#state
    const connection: Connection = new Connection(state, transport, this.#options, {
      statusChanged: (status) => this.#emitStatus(status),
      failed: (error, topic) => state.turns.run(() => this.#connectionFailed(error, topic)),
      receive: (topic, frame) => inboxes.receive(topic, frame),
      watched: (topic, frame) => {
        for (const tap of tapsOf(this.#remote)) tap.receive(topic, frame)
      },
      prefixesGiven: (prefixes) => this.#usePrefixes(prefixes),
      joinChanged: (topic, change) => {
        inboxes.joinChanged(topic, change)
        if (topic === connection.everything) for (const tap of tapsOf(this.#remote)) tap.joinChanged(change)
      },
    })
    const outboxes = new Outboxes(state, connection)
    const inboxes = new Inboxes(state, connection, this.#options, (state) =>
      endStream(state, { reason: 'removed', isLocal: false }),
    )
    Object.assign(state, { outboxes, inboxes })
    // Counted apart: its taps are no subscribers of a stream.
    const everything = new StreamState('', state, DEFAULT_OPTIONS, new Counters())
    return { connection, outboxes, inboxes, everything }
  }

  /** Streams that have an origin begin a new one, if the prefixes are others than before. */
  #usePrefixes(prefixes: readonly string[]): void {
    if (!this.#state.origins.use(prefixes)) return
    this.#remote?.outboxes.flush() // while not up: what has an old origin stays here
    for (const stream of this.#streams.values()) {
      const state = Stream.stateOf(stream)
      if (state !== undefined) state.origin = undefined
    }
  }

  #assertOpen(): void {
    if (this.#state.isClosed) throw named(new Refusal('HUB_CLOSED', undefined).error, this.name)
  }

  #listen(event: keyof HubEvents, listener: HubListener<never>, isOnce: boolean): this {
    this.#assertOpen()
    checkEvent(HUB_EVENTS, event, listener)
    this.#events.on(event, listener as (payload: never, detail: never) => unknown, isOnce)
    return this
  }

  #emitStatus(status: HubStatus): void {
    if (this.#state.isClosed && status !== 'closed') return
    const failedAttempts = this.#remote?.connection.failedAttempts ?? 0
    runOutside(() => {
      if (statuses.hasSubscribers) statuses.publish({ hub: this.name, status, failedAttempts })
      this.#events.emit('status', status, { failedAttempts })
    })
  }

  /** Frees the name of a stream that has ended. */
  #ended(state: StreamState): void {
    this.#streams.delete(state.name)
    this.#remote?.inboxes.end(state)
  }

  #connectionFailed(error: RivuletError, topic: Topic | undefined): void {
    const name = topic && nameIn(topic)
    const stream = name === undefined ? undefined : this.#streams.get(name)
    const state = stream && Stream.stateOf(stream)
    const full = named(error, this.name, name)
    if (state !== undefined) report(state, full)
    else if (!this.#report(full)) this.#log(full)
  }

  #listenerFailed(cause: unknown, event: keyof HubEvents, isRejection: boolean): void {
    this.#state.totals.add('listenerErrors', 1)
    const message = `A listener of "${event}" threw: ${messageOf(cause)}`
    const error = new RivuletError('LISTENER_FAILED', message, { cause, hub: this.name })
    const tell = () => {
      if (event === 'error' || !this.#report(error)) this.#log(error)
    }
    if (isRejection) this.#state.turns.run(tell)
    else tell()
  }

  #report(error: RivuletError): boolean {
    if (!this.#events.has('error')) return false
    this.#events.emit('error', error)
    return true
  }

  /** Once for each code, so that a broken broker does not fill the log. */
  #log(error: RivuletError): void {
    if (this.#logged.has(error.code)) return
    this.#logged.add(error.code)
    log(error)
  }
}

makeDisposable(Hub.prototype, 'asyncDispose', 'close')

/** A clock that a program gives goes with no date. */
function clockOf(environment: Environment, nowMs: (() => number) | undefined): Clock {
  if (nowMs !== undefined) return new Clock(nowMs)
  return new Clock(
    () => environment.nowMs(),
    () => environment.dateMs(),
  )
}

/** Resolves when everything published before is confirmed, unconfirmed or lost. */
async function flush({ connection, outboxes }: Remote): Promise<void> {
  await undefined // what waits for a running fan-out reaches its outbox before this goes on
  outboxes.flush()
  await connection.confirmations.settled()
}

/** Hands over what was published, and disconnects. */
async function hangUp(remote: Remote): Promise<void> {
  remote.outboxes.flush()
  remote.inboxes.close()
  await remote.connection.close(() => flush(remote))
}

function tapsOf(remote: Remote | undefined): Tap[] {
  return (remote?.everything.subscribers ?? []).filter((subscriber) => subscriber instanceof Tap)
}

function ignore(): void {}
