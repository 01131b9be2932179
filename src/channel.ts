import { Admission } from './admission.ts'
import { Delivery } from './delivery.ts'
import type { RivuletError } from './errors.ts'
import { Events } from './events.ts'
import { Expiry } from './expiry.ts'
import { FanOut, type Listener, type Seat } from './fan-out.ts'
import { LeakyBucket } from './leaky-bucket.ts'
import { Counters } from './ledger.ts'
import type { Link } from './link.ts'
import { Message, newOrigin } from './message.ts'
import type { ResolvedOptions } from './options.ts'
import type { LossReason } from './outbox.ts'
import type { HubPeers } from './peers.ts'
import { Refusal } from './refusal.ts'
import { Remote, type RemotePort } from './remote.ts'
import { SignalActions } from './signal-actions.ts'
import { StreamSubscription } from './subscription.ts'
import { topicOf } from './topic.ts'

/** Why a stream ended other than by `close`. */
export type RemovalReason = 'removed' | 'expired'

/** A stream's lifecycle events, with what each one carries. */
export interface StreamEvents<Data = unknown> {
  /** A message was delivered to the subscribers. Listening for it joins no topic; subscribing does. */
  messagePublished: { readonly message: Message<Data>; readonly isLocal: boolean }
  /** A publish was refused. */
  refused: Refusal
  /** Accepted messages did not reach the broker. */
  lost: { readonly reason: LossReason; readonly count: number }
  /** The stream was removed or expired; `isLocal` is false when another process removed it. */
  removed: { readonly reason: RemovalReason; readonly isLocal: boolean }
  /** A subscriber or listener threw, or the broker refused something of this stream. */
  error: unknown
}

/** What a stream needs of its hub. */
export interface ChannelHost {
  readonly name: string
  readonly isClosed: boolean
  readonly acceptsRemoval: boolean
  readonly link: Link | undefined
  readonly peers: HubPeers
  readonly nowMs: () => number
  /** Whether an origin lately was that of a stream that is closed by now. */
  isRetired(origin: string): boolean
  /** Tells the hub's listeners of an error; false when there are none. */
  report(error: unknown): boolean
  /** The stream has ended. */
  retire(channel: Channel, removal: StreamEvents['removed'] | undefined): void
}

/** The inside of a stream: what is published is admitted, delivered here, and sent on. Ends once. */
export class Channel implements RemotePort {
  readonly name: string
  readonly options: ResolvedOptions
  readonly isSent: boolean
  readonly nowMs: () => number
  readonly #host: ChannelHost
  // Made when first needed: an idle stream is small.
  #counters: Counters | undefined
  #bucket: LeakyBucket | undefined
  #admission: Admission | undefined
  #delivery: Delivery | undefined
  #remote: Remote | undefined
  #events: Events<StreamEvents> | undefined
  #expiry: Expiry | undefined
  #signals: SignalActions | undefined
  #origin: string | undefined
  #sequence = 0
  #isClosed = false
  #hasLogged = false

  constructor(name: string, options: ResolvedOptions, host: ChannelHost) {
    this.name = name
    this.options = options
    this.isSent = host.link !== undefined
    this.nowMs = host.nowMs
    this.#host = host
    if (options.ttlSeconds > 0) this.expiry.set(options.ttlSeconds)
  }

  get counters(): Counters {
    this.#counters ??= new Counters()
    return this.#counters
  }

  get admission(): Admission {
    this.#admission ??= new Admission(this, this.#limiter)
    return this.#admission
  }

  get events(): Events<StreamEvents> {
    this.#events ??= new Events((error, event) => this.#listenerThrew(error, event))
    return this.#events
  }

  get expiry(): Expiry {
    this.#expiry ??= new Expiry(this.nowMs, () => this.close({ reason: 'expired', isLocal: true }))
    return this.#expiry
  }

  get signals(): SignalActions {
    this.#signals ??= new SignalActions()
    return this.#signals
  }

  get isClosed(): boolean {
    return this.#isClosed
  }

  get isFull(): boolean {
    return this.#delivery?.isFull === true
  }

  get isJoined(): boolean {
    return this.#host.link === undefined || this.#remote?.isJoined === true
  }

  get isListening(): boolean {
    return this.#delivery !== undefined && this.#delivery.fanOut.size > 0
  }

  get origin(): string | undefined {
    return this.#origin
  }

  get sharedBucket(): LeakyBucket | undefined {
    const { limit } = this.options
    return limit !== false && limit.scope === 'stream' ? this.#limiter : undefined
  }

  closedRefusal(): Refusal {
    return new Refusal(this.#host.isClosed ? 'HUB_CLOSED' : 'STREAM_CLOSED')
  }

  /** Throws `STREAM_CLOSED` or `HUB_CLOSED` once the stream has ended. */
  assertOpen(): void {
    if (this.#isClosed) throw this.closedRefusal().error
  }

  /** Delivers what was admitted and sends it on; the message's number is taken now. */
  accept(wire: object, data: unknown, nowMs = 0): Message {
    this.#origin ??= newOrigin()
    const message = new Message(data, true, this.#origin, ++this.#sequence)
    const { counters, isSent } = this
    const delivery = this.#delivery ?? this.#openDelivery()
    counters.attempts++
    counters.accepted++
    if (isSent) counters.inFlight++
    else counters.local++
    try {
      delivery.deliver(message, isSent ? wire : undefined, nowMs)
    } catch (exhausted) {
      // Takes the counts back without a call, for which there may be no stack.
      counters.attempts--
      counters.accepted--
      if (isSent) counters.inFlight--
      else counters.local--
      throw exhausted
    }
    return message
  }

  refused(refusal: Refusal): void {
    if (this.#events !== undefined) this.#events.emit('refused', () => refusal)
  }

  /** Takes a seat in the fan-out; `atClose` is called when the stream ends before the seat is left. */
  subscribe(listener: Listener, signal?: AbortSignal, atClose?: () => void): StreamSubscription {
    this.assertOpen()
    const subscription = new StreamSubscription(this, atClose)
    if (signal?.aborted) return subscription
    const { fanOut } = this.#delivery ?? this.#openDelivery()
    fanOut.add(subscription, listener)
    this.counters.subscribers = fanOut.size
    if (fanOut.size === 1) this.#openRemote()?.listen(true)
    if (signal !== undefined) {
      subscription.callOff = this.signals.add(signal, () => subscription.unsubscribe())
    }
    return subscription
  }

  leave(seat: Seat): void {
    const { fanOut } = this.#delivery as Delivery // who leaves has a seat
    fanOut.remove(seat)
    this.counters.subscribers = fanOut.size
    if (fanOut.size === 0) this.#remote?.listen(false)
  }

  joined(refusal?: RivuletError): void {
    for (const seat of this.#openDelivery().fanOut.seats) seat.joined(refusal)
  }

  isOwn(origin: string): boolean {
    return origin === this.#origin || this.#host.isRetired(origin)
  }

  overdueMs(): number {
    return this.#host.link?.inFlight.overdueMs() ?? 0 // without a link nothing arrives, and nobody asks
  }

  deliver(message: Message, nowMs: number): void {
    const delivery = this.#delivery as Delivery // somebody listens
    delivery.deliver(message, undefined, nowMs)
  }

  removedByPeer(): boolean {
    if (this.#host.acceptsRemoval) this.close({ reason: 'removed', isLocal: false })
    return this.#isClosed
  }

  lost(reason: LossReason, count: number): void {
    this.#events?.emit('lost', () => ({ reason, count }))
  }

  /** Tells the stream's listeners of an error, else the hub's, else the console, once a stream. */
  report(error: unknown): void {
    if (this.#events?.has('error')) this.#events.emit('error', () => error)
    else this.#reportToHub(error)
  }

  /** Ends the stream: nobody is called any more, and what was accepted before still goes out. */
  close(removal?: StreamEvents['removed']): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#expiry?.stop()
    const seats = this.#delivery?.fanOut.clear() ?? []
    this.counters.subscribers = 0
    if (removal?.reason === 'removed' && removal.isLocal) this.#sendRemoval()
    this.#remote?.close()
    // Before any user code runs, so that it may open the next stream of the name.
    this.#host.retire(this, removal)
    this.#admission?.close()
    for (const seat of seats) seat.end(() => this.closedRefusal().error)
    if (removal !== undefined) this.#events?.emit('removed', () => removal)
    this.#events?.clear()
  }

  get #limiter(): LeakyBucket | undefined {
    const { limit } = this.options
    if (limit === false) return undefined
    this.#bucket ??= new LeakyBucket(limit.ratePerSecond, limit.burst)
    return this.#bucket
  }

  #openDelivery(): Delivery {
    this.#delivery ??= new Delivery(
      new FanOut((error) => this.#listenerThrew(error)),
      this.counters,
      this.options.maxWaiting,
      (message, wire, nowMs) => this.#delivered(message, wire, nowMs),
    )
    return this.#delivery
  }

  #openRemote(): Remote | undefined {
    const { link, name, peers } = this.#host
    if (link !== undefined) this.#remote ??= new Remote(topicOf(name, this.name), this, link, peers)
    return this.#remote
  }

  /** Goes out after everything that was accepted before. */
  #sendRemoval(): void {
    const remote = this.#openRemote()
    if (remote === undefined) return
    this.#origin ??= newOrigin()
    const origin = this.#origin
    this.#openDelivery().whenIdle(() => remote.sendRemoval(origin, ++this.#sequence))
  }

  #delivered(message: Message, wire: object | undefined, nowMs: number): void {
    if (wire !== undefined) {
      const remote = this.#remote ?? this.#openRemote()
      remote?.send(message, wire, nowMs)
    }
    if (this.#events === undefined) return
    try {
      this.#tellPublished(message)
    } catch {} // The stack is exhausted, and the message on its way.
  }

  #tellPublished(message: Message): void {
    this.#events?.emit('messagePublished', () => ({ message, isLocal: message.isLocal }))
  }

  /** A listener of `error` that throws is not told of that again: the hub is. */
  #listenerThrew(error: unknown, event?: keyof StreamEvents): void {
    this.counters.count((counts) => counts.listenerErrors++)
    if (event === 'error') this.#reportToHub(error)
    else this.report(error)
  }

  #reportToHub(error: unknown): void {
    if (this.#host.report(error) || this.#hasLogged) return
    this.#hasLogged = true
    const hint = 'listen to the error event of the stream or the hub to see all of them'
    globalThis.console?.error(`rivulet: an error in stream ${JSON.stringify(this.name)} (${hint}):`, error)
  }
}
