import { makeDisposable } from '../base/disposable.ts'
import { encodeUtf8 } from '../base/utf8.ts'
import type { Confirmations } from '../connection/confirmations.ts'
import type { JoinChange } from '../connection/joins.ts'
import { addListener, removeAllListeners } from '../deliver/fan-out.ts'
import { Subscription } from '../deliver/subscription.ts'
import type { Message } from '../message/message.ts'
import { nameIn, topicOf } from '../message/topic.ts'
import { reportNoDrops } from '../receive/drops.ts'
import { Inbox } from '../receive/inbox.ts'
import { HubPublishers, Publishers } from '../receive/publishers.ts'
import { Counters, type Ledger } from '../state/ledger.ts'
import { DEFAULT_OPTIONS, LARGEST_MAX_BYTES } from '../state/options.ts'
import { type HubState, StreamState } from '../state/stream-state.ts'

const MAX_STREAMS = 4_096
/** A tap forgets no publisher for its silence, so it remembers fewer than a hub. */
const BOUNDS = { maxPublishersPerStream: 10_000, maxPublishers: 65_536 }
/** A tap does not know the options of other processes: it accepts every message that any stream may accept. */
const OPTIONS = { ...DEFAULT_OPTIONS, maxBytes: LARGEST_MAX_BYTES, limit: false, maxAgeMs: false } as const

/** Receives a message of a tap, and the name of its stream. Throws and rejections count as those of a subscriber. */
export type TapListener = (message: Message, stream: string) => unknown

/** One stream as a tap receives it. */
export interface TappedStream {
  /** The stream's name. */
  readonly name: string
  /** Bytes of all frames so far, including frames without a delivered message. */
  readonly bytes: number
  /** The number of known publishers, by origin; at most 10 000. */
  readonly publishers: number
  /** The counts of received, delivered, dropped and missed messages; nothing is ever published here. */
  readonly ledger: Ledger
}

interface Followed {
  readonly inbox: Inbox
  bytes: number
}

/**
 * Receives the messages of other processes on every stream of a hub, and counts in a ledger of its own. Made by `tapHub`;
 * `ready`, `closed` and `unsubscribe` are those of a subscription.
 */
export class Tap extends Subscription {
  readonly #hub: HubState
  readonly #confirmations: Confirmations
  readonly #listener: TapListener
  /** The counts of all streams, including those not followed any more, and of frames of no stream. */
  readonly #totals = new Counters()
  readonly #publishers: HubPublishers
  readonly #followed = new Map<string, Followed>()

  /** Made by the hub: a subscription to the state that represents all its streams. */
  constructor(everything: StreamState, confirmations: Confirmations, listener: TapListener) {
    super(everything, undefined)
    this.#hub = everything.hub
    this.#publishers = new HubPublishers(everything.hub, BOUNDS)
    this.#confirmations = confirmations
    this.#listener = listener
  }

  /** Ends it, also amid the messages of one frame. Any number of times. */
  override unsubscribe(): void {
    super.unsubscribe()
    this.#publishers.close()
    for (const { inbox } of this.#followed.values()) removeAllListeners(inbox.state)
  }

  /** Returns the outcomes of all received messages; `subscribers` is the number of streams that are followed. */
  ledger(): Ledger {
    return this.#totals.ledger()
  }

  /** Iterates the streams with messages, at most 4 096: the one that was silent longest is evicted for a further one. */
  *streams(): IterableIterator<TappedStream> {
    for (const { inbox, bytes } of [...this.#followed.values()]) {
      const { state, publishers } = inbox
      yield { name: state.name, bytes, publishers: publishers.size, ledger: state.counters.ledger() }
    }
  }

  /** Receives a frame. For the hub. */
  receive(topic: string, frame: Uint8Array | string): void {
    if (this.closed) return // by the listener of another tap
    const followed = this.#follow(topic)
    if (followed === undefined) return this.#totals.drop('malformed')
    const bytes = typeof frame === 'string' ? encodeUtf8(frame) : frame
    followed.bytes += bytes.length
    followed.inbox.receive(bytes)
    // Otherwise made-up names would evict streams.
    if (followed.inbox.state.counters.delivered === 0) this.#forget(topic, followed)
  }

  /** Receives a change of the watch: confirmed, refused or lost. For the hub. */
  joinChanged(change: JoinChange): void {
    for (const { inbox } of this.#followed.values()) inbox.joinChanged(change)
  }

  /** Returns the stream of a topic, now the most recent one; `undefined` when no stream has such a topic. */
  #follow(topic: string): Followed | undefined {
    const followed = this.#followed.get(topic) ?? this.#open(topic)
    if (followed === undefined) return undefined
    this.#followed.delete(topic)
    this.#followed.set(topic, followed)
    const [silentLongest] = this.#followed
    if (this.#followed.size > MAX_STREAMS && silentLongest !== undefined) this.#forget(...silentLongest)
    return followed
  }

  #open(topic: string): Followed | undefined {
    const name = nameIn(topic)
    if (name === undefined || topicOf(this.#hub.name, name) !== topic) return undefined
    const state = new StreamState(name, this.#hub, OPTIONS, this.#totals)
    // The tap has no options that a program could change, and a flood on made-up names would flood the errors.
    reportNoDrops(state)
    const subscriber = { index: -1, joined: ignore, ended: ignore }
    const listener = this.#listener // called as a member, `this` would be the tap
    addListener(state, subscriber, (message) => listener(message, name))
    const publishers = new Publishers(this.#publishers)
    // A tap changes nothing: no removal ends a stream.
    return { inbox: new Inbox(state, publishers, this.#confirmations, ignore), bytes: 0 }
  }

  /** Forgets a stream, except for its counts in the totals. */
  #forget(topic: string, { inbox }: Followed): void {
    this.#followed.delete(topic)
    removeAllListeners(inbox.state)
    inbox.publishers.clear()
  }
}

makeDisposable(Tap.prototype, 'dispose', 'unsubscribe')

function ignore(): void {}
