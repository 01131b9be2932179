import { runOutside } from '../base/async-context.ts'
import { abortable } from '../base/deadline.ts'
import { statuses } from '../base/diagnostics.ts'
import { Clock, type Environment, outside } from '../base/environment.ts'
import { SignalActions } from '../base/signals.ts'
import { Turns } from '../base/turns.ts'
import { warnWhenAlone } from '../connection/alone.ts'
import { Connection } from '../connection/connection.ts'
import type { Transport } from '../connection/transport.ts'
import { invalid, named, type RivuletError } from '../errors/errors.ts'
import { Refusal } from '../errors/refusal.ts'
import { report } from '../errors/report.ts'
import { checkStreamName, nameIn, type Topic } from '../message/topic.ts'
import { openLastCapacity } from '../publish/last-capacity.ts'
import { endLastCapacity, publishEarly } from '../publish/publish-queue.ts'
import { Inboxes } from '../receive/inboxes.ts'
import { renewOrigin } from '../send/origin.ts'
import { Outboxes } from '../send/outbox.ts'
import { Counters, type Ledger } from '../state/ledger.ts'
import {
  checkFunction,
  checkSameOptions,
  checkSignalOption,
  resolveOptions,
  type SignalOption,
  type StreamOptions,
} from '../state/options.ts'
import { Origins } from '../state/origins.ts'
import type { HubPart, HubState, StreamState } from '../state/stream-state.ts'
import { endStream } from '../stream/ending.ts'
import { Stream } from '../stream/stream.ts'
import type { Tap, TapListener } from '../tap/tap.ts'
import { Taps } from '../tap/taps.ts'
import { HubListeners, type HubStatus } from './events.ts'
import type { ResolvedHubOptions } from './options.ts'

/** The outcomes of the messages that `flush` waited for. */
export interface Flushed {
  /** Messages that the broker has. */
  readonly confirmed: number
  /** Messages that may have arrived, or not. */
  readonly unconfirmed: number
  /** Messages that did not reach the broker. */
  readonly lost: number
}

/** The sending and receiving sides of a hub with a transport. */
export interface Remote {
  readonly connection: Connection
  readonly outboxes: Outboxes
  readonly inboxes: Inboxes
  readonly taps: Taps
  /** Cancels the check whether the hub is alone in its process. */
  readonly cancelWarning: () => void
}

/** Connects the parts of one hub: its streams, its listeners, and the sending and receiving sides. */
export class Wiring {
  readonly options: ResolvedHubOptions
  readonly state: HubState & HubPart
  readonly listeners: HubListeners
  readonly streams = new Map<string, Stream>()
  /** Absent without a transport. */
  readonly remote: Remote | undefined

  constructor(options: ResolvedHubOptions, environment: Environment) {
    const { name, acceptRemoval, nowMs, transport } = options
    const outsideRequests = outside(environment)
    const turns = new Turns(outsideRequests)
    const totals = new Counters()
    this.options = options
    this.listeners = new HubListeners(name, totals, turns)
    this.state = {
      name,
      environment: outsideRequests,
      clock: clockOf(environment, nowMs),
      origins: new Origins(() => environment.random()),
      turns,
      signals: new SignalActions(),
      totals,
      acceptsRemoval: acceptRemoval,
      isClosed: false,
      starting: transport && new Set(),
      lastCapacity: undefined,
      outboxes: undefined,
      inboxes: undefined,
      isOpen: (name) => this.streams.has(name),
      ended: (state) => this.#ended(state),
      removed: ({ name }, removal) => this.listeners.emitRemoved({ ...removal, name }),
      report: (error) => this.listeners.report(error),
    }
    this.remote = transport && runOutside(() => this.#connect(transport))
  }

  get status(): HubStatus {
    if (this.state.isClosed) return 'closed'
    return this.remote === undefined ? 'local' : this.remote.connection.status
  }

  /** Throws `HUB_CLOSED` once the hub is closed. */
  assertOpen(): void {
    if (this.state.isClosed) throw named(new Refusal('HUB_CLOSED', undefined).error, this.state.name)
  }

  /** Returns the open stream of a name, or opens it; `isForHandle`: an opened one ends with its last handle. */
  open(name: string, options: StreamOptions | undefined, isForHandle: boolean): Stream {
    this.assertOpen()
    const open = this.streams.get(name)
    if (open !== undefined) {
      if (options !== undefined) checkSameOptions(name, this.state.name, options, Stream.optionsOf(open))
      return open
    }
    checkStreamName(name)
    const resolved = resolveOptions(options, this.options.streams.get(name) ?? this.options.streamDefaults)
    // Getters of the options may have closed the hub, or opened the stream.
    if (this.state.isClosed || this.streams.has(name)) return this.open(name, resolved, isForHandle)
    const stream: Stream = new Stream(name, this.state, resolved)
    if (isForHandle) Stream.endWithLastHandle(stream)
    this.streams.set(name, stream)
    return stream
  }

  /** Resolves when every message published before is confirmed, unconfirmed or lost. Rejects with the signal's reason. */
  async flush(signal: AbortSignal | undefined): Promise<Flushed> {
    const { remote } = this
    if (remote === undefined) return { confirmed: 0, unconfirmed: 0, lost: 0 }
    const flushed = runOutside(() => flush(remote))
    return abortable(flushed, signal)
  }

  /** Adds a tap; see `tapHub`. */
  tap(listener: TapListener, options: SignalOption | undefined): Tap {
    const signal = checkSignalOption('tap', options)
    checkFunction('listener', listener)
    this.assertOpen()
    if (this.remote === undefined) {
      throw invalid('A tap receives messages of other processes; give the hub a transport.')
    }
    return this.remote.taps.open(listener, signal)
  }

  /** Ends every stream, sends all published messages, and disconnects. Called once. */
  async close(): Promise<Ledger> {
    const { remote, state } = this
    const { environment } = state
    state.isClosed = true
    const startMs = environment.nowMs()
    const connection = remote?.connection
    const lastCapacity = connection?.isUp ? openLastCapacity(state, connection.lastCapacityMs) : undefined
    for (const stream of [...this.streams.values()]) stream.close()
    remote?.cancelWarning()
    remote?.taps.close()
    if (remote === undefined) this.#emitStatus('closed')
    await undefined // `close` may have been called inside a stream's end, or inside a fan-out
    if (lastCapacity !== undefined) await runOutside(lastCapacity)
    const spentMs = environment.nowMs() - startMs
    if (remote !== undefined) await runOutside(() => hangUp(remote, spentMs))
    state.turns.end()
    this.listeners.clear()
    return state.totals.ledger()
  }

  #connect(transport: Transport): Remote {
    const { state } = this
    const connection: Connection = new Connection(state, transport, this.options, {
      statusChanged: (status) => {
        if (status === 'up') {
          outboxes.connected()
          publishEarly(state)
        } else endLastCapacity(state)
        this.#emitStatus(status)
      },
      failed: (error, topic) => state.turns.run(() => this.#connectionFailed(error, topic)),
      receive: (topic, frame) => inboxes.receive(topic, frame),
      watched: (topic, frame) => taps.receive(topic, frame),
      prefixesGiven: (prefixes) => this.#usePrefixes(prefixes),
      joinChanged: (topic, change) => {
        inboxes.joinChanged(topic, change)
        if (topic === connection.everything) taps.joinChanged(change)
      },
    })
    const outboxes = new Outboxes(state, connection)
    const inboxes = new Inboxes(state, connection, this.options, (state) =>
      endStream(state, 'removed', false),
    )
    state.outboxes = outboxes
    state.inboxes = inboxes
    const taps = new Taps(state, connection.confirmations)
    const reportAlone = (error: RivuletError) => this.#connectionFailed(error, undefined)
    const cancelWarning = warnWhenAlone(state.environment, transport, reportAlone)
    return { connection, outboxes, inboxes, taps, cancelWarning }
  }

  /** Makes streams that have an origin begin a new one, if the prefixes differ from the ones before. */
  #usePrefixes(prefixes: readonly string[]): void {
    if (!this.state.origins.use(prefixes)) return
    this.remote?.outboxes.renewOrigins()
    for (const stream of this.streams.values()) {
      const state = Stream.stateOf(stream)
      if (state !== undefined) renewOrigin(state)
    }
  }

  #emitStatus(status: HubStatus): void {
    if (this.state.isClosed && status !== 'closed') return
    const { name } = this.state
    const failedAttempts = this.remote?.connection.failedAttempts ?? 0
    runOutside(() => {
      if (statuses.hasSubscribers) statuses.publish({ hub: name, status, failedAttempts })
      this.listeners.emitStatus(status, { failedAttempts })
    })
  }

  /** Frees the name of a stream that has ended. */
  #ended(state: StreamState): void {
    this.streams.delete(state.name)
    this.remote?.inboxes.end(state)
  }

  #connectionFailed(error: RivuletError, topic: Topic | undefined): void {
    const name = topic && nameIn(topic)
    const stream = name === undefined ? undefined : this.streams.get(name)
    const state = stream && Stream.stateOf(stream)
    const full = named(error, this.state.name, name)
    if (state !== undefined) report(state, full)
    else this.listeners.reportOrLog(full)
  }
}

/** Makes the hub's clock; one of the program has no date. */
function clockOf(environment: Environment, nowMs: (() => number) | undefined): Clock {
  if (nowMs !== undefined) return new Clock(nowMs)
  return new Clock(
    () => environment.nowMs(),
    () => environment.dateMs(),
  )
}

/** Resolves when every message published before is confirmed, unconfirmed or lost. */
async function flush({ connection, outboxes }: Remote): Promise<Flushed> {
  const lostBefore = outboxes.lostBeforeTick
  await undefined // messages that are queued behind a running fan-out reach their outbox before this goes on
  outboxes.flush()
  const lost = outboxes.lost - lostBefore
  return { ...(await connection.confirmations.settled()), lost }
}

/** Sends all published messages, and disconnects; the close has taken `spentMs` so far. */
async function hangUp(remote: Remote, spentMs: number): Promise<void> {
  remote.outboxes.flush()
  remote.inboxes.close()
  await remote.connection.close(spentMs, () => flush(remote))
  remote.outboxes.close()
}
