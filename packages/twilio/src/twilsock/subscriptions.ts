import {
  ApiError,
  type Caller,
  type Ending,
  type Hold,
  type Problem,
  type StreamListener,
} from '@rivulet/gateway/protocol'
import { RivuletError } from 'rivulet'
import { PROBLEMS } from '../base/problem.ts'
import { hubNameOf, isStreamSid, type StreamRecord } from '../registry/stream-record.ts'
import type { StreamService } from '../streams/stream-service.ts'
import { messageNotification, removalNotification, subscriptionNotification } from './notification.ts'
import { TWILSOCK_PROBLEMS } from './twilsock-problem.ts'

/** A stream that a client wants to be subscribed to, or to be no longer. */
export interface SubscriptionRequest {
  readonly object_sid: string
  readonly object_type: string
}

/** The result of one, unless it is to be tried again. */
type Outcome = Made | Failed

interface Made extends SubscriptionRequest {
  readonly subscription: Subscription
  readonly error?: undefined
}

interface Failed extends SubscriptionRequest {
  readonly subscription?: undefined
  readonly error: Problem
}

/** The callbacks of subscriptions to their connection. */
export interface SubscriptionOwner {
  /** Sends a message, or drops it when too much waits already. */
  push(bytes: Uint8Array): void
  /** Sends what must not be lost. */
  send(bytes: Uint8Array): void
  /** Ends the connection, so that its client comes back and subscribes again. */
  end(): void
  /** Called for each subscription that is added or gone. */
  count(change: 1 | -1): void
}

/** The subscriptions of one connection. They end with it. */
export class Subscriptions {
  readonly #streams: StreamService
  readonly #owner: SubscriptionOwner
  readonly #max: number
  readonly #held = new Map<string, Subscription>()
  #isOver = false

  constructor(streams: StreamService, max: number, owner: SubscriptionOwner) {
    this.#streams = streams
    this.#owner = owner
    this.#max = max
  }

  /**
   * Subscribes to streams; to have one already is no mistake. Notifications tell how each went. `false` when that
   * cannot be known now: the client should ask again, as it never does for a subscription that failed.
   */
  async establish(
    caller: Caller,
    correlationId: number,
    requests: readonly SubscriptionRequest[],
  ): Promise<boolean> {
    const all = await Promise.all(requests.map((request) => this.#tryOne(caller, request)))
    const outcomes = all.filter((outcome) => outcome !== 'later')
    if (this.#isOver || outcomes.length < all.length) return false
    const failed = outcomes.filter((outcome) => outcome.error !== undefined)
    if (failed.length > 0) this.#tell('subscription_failed', correlationId, failed)
    const made = outcomes.filter((outcome) => outcome.subscription !== undefined)
    void joinedAll(made).then(() => {
      // Some may have been cancelled or removed meanwhile.
      const events = made.filter(({ subscription }) => this.#isHeld(subscription)).map(establishedEvent)
      if (events.length > 0) this.#tell('subscription_established', correlationId, events)
    })
    return true
  }

  /** Ends subscriptions. One that there is none of is no mistake: clients cancel what was removed. */
  cancel(correlationId: number, requests: readonly SubscriptionRequest[]): void {
    for (const { object_sid } of requests) this.of(object_sid)?.stop()
    const events = requests.map(({ object_sid, object_type }) => ({ object_sid, object_type }))
    this.#tell('subscription_canceled', correlationId, events)
  }

  /** Gives the subscription to a stream. */
  of(streamSid: string): Subscription | undefined {
    return this.#held.get(keyOf(streamSid))
  }

  /** Returns whether the caller may listen to all of the streams. */
  areAllowedTo({ may }: Caller): boolean {
    return [...this.#held.values()].every(({ record }) => may('listen', record.serviceSid, hubNameOf(record)))
  }

  /** Ends all. */
  close(): void {
    this.#isOver = true
    for (const subscription of [...this.#held.values()]) subscription.stop()
  }

  async #tryOne(caller: Caller, request: SubscriptionRequest): Promise<Outcome | 'later'> {
    const { object_sid, object_type } = request
    try {
      return { object_sid, object_type, subscription: await this.#subscribe(caller, object_sid) }
    } catch (cause) {
      if (isTransient(cause)) return 'later'
      return { object_sid, object_type, error: permanentProblemOf(cause) }
    }
  }

  async #subscribe(caller: Caller, streamSid: string): Promise<Subscription> {
    if (!isStreamSid(streamSid)) throw new ApiError(PROBLEMS.notFound)
    // The listener of a stream that has ended meanwhile would never end.
    const found = this.#streams.findCurrent(caller, caller.serviceSid ?? '', streamSid, ['listen'])
    const record = found instanceof Promise ? await found : found
    const held = this.of(record.sid)
    if (held !== undefined) return held
    if (this.#isOver) throw new ApiError(PROBLEMS.unavailable)
    if (this.#held.size >= this.#max) throw new TooManySubscriptions()
    return this.#add(record)
  }

  #add(record: StreamRecord): Subscription {
    const subscription = new Subscription(record, this.#owner, () => {
      if (this.#held.delete(keyOf(record.sid))) this.#owner.count(-1)
    })
    subscription.listen(this.#streams)
    this.#held.set(keyOf(record.sid), subscription)
    this.#owner.count(1)
    return subscription
  }

  #isHeld(subscription: Subscription): boolean {
    return this.of(subscription.record.sid) === subscription
  }

  #tell(
    type: Parameters<typeof subscriptionNotification>[0],
    correlationId: number,
    events: readonly object[],
  ): void {
    this.#owner.send(subscriptionNotification(type, correlationId, events))
  }
}

/** One connection's subscription to one stream. */
export class Subscription implements StreamListener {
  readonly record: StreamRecord
  /** Whether this connection asks for the stream's removal, and so gets no notification of it. */
  isRemovedHere = false
  readonly #owner: SubscriptionOwner
  readonly #over: () => void
  #hold: Hold | undefined

  /** `over` is called when it ends. */
  constructor(record: StreamRecord, owner: SubscriptionOwner, over: () => void) {
    this.record = record
    this.#owner = owner
    this.#over = over
  }

  get joined(): Promise<void> | undefined {
    return this.#hold?.joined
  }

  /** Begins to take messages. Throws when the hub or the gateway is closed. */
  listen(streams: StreamService): void {
    this.#hold = streams.listen(this.record, this, messageNotification)
  }

  push(bytes: Uint8Array): void {
    this.#owner.push(bytes)
  }

  end({ event }: Ending): void {
    this.#over()
    if (event === 'closing') this.#owner.end()
    else if (!this.isRemovedHere) this.#owner.send(removalNotification(this.record.sid))
  }

  /** Takes no more messages. */
  stop(): void {
    this.#over()
    this.#hold?.stop()
  }
}

class TooManySubscriptions extends Error {}

/** Returns whether the result may be different a moment later. */
function isTransient(cause: unknown): boolean {
  if (ApiError.is(cause)) return cause.problem === PROBLEMS.unavailable
  return RivuletError.is(cause) && (cause.code === 'HUB_CLOSED' || cause.code === 'TRANSPORT_UNAVAILABLE')
}

/** Gives a problem in the form that clients get. Throws what is none of the request. */
function permanentProblemOf(cause: unknown): Problem {
  if (cause instanceof TooManySubscriptions) return TWILSOCK_PROBLEMS.tooManySubscriptions
  if (!ApiError.is(cause)) throw cause
  return cause.problem === PROBLEMS.forbidden ? TWILSOCK_PROBLEMS.forbidden : TWILSOCK_PROBLEMS.unknownSid
}

async function joinedAll(made: readonly { readonly subscription: Subscription }[]): Promise<void> {
  await Promise.all(made.map(({ subscription }) => subscription.joined))
}

function establishedEvent({ object_sid, object_type }: SubscriptionRequest): object {
  return { object_sid, object_type, replay_status: 'completed', last_event_id: null }
}

function keyOf(streamSid: string): string {
  return streamSid.toLowerCase()
}
