import { type BusCounts, type Counted, Tally } from './bus-counts.ts'
import type { ResolvedOptions } from './bus-options.ts'
import { type Connection, callHost, type Parcel, type Peer, type Subscription } from './connection.ts'
import { DeliveryQueue } from './delivery-queue.ts'
import { drawFate, type Passage } from './fate.ts'
import { Lane, MAX_HOLD_MS } from './hold-back.ts'
import { Slab } from './slab.ts'

/** Carries frames to their receivers, with the faults that the options ask for, and counts what became of each. */
export class Carrier {
  readonly #options: ResolvedOptions
  readonly #isFaultless: boolean
  readonly #tally = new Tally()
  readonly #queue = new DeliveryQueue<Parcel>((parcel) => this.#deliver(parcel))
  readonly #slab = new Slab()
  #partitions: { readonly a: ReadonlySet<Peer>; readonly b: ReadonlySet<Peer> }[] = []

  constructor(options: ResolvedOptions) {
    this.#options = options
    this.#isFaultless = options.loss + options.duplicate + options.reorder + options.delayMs[1] === 0
  }

  get counts(): BusCounts {
    return this.#tally.read()
  }

  /** Sends the `nth` frame of a sender to one receiver, which gets bytes of its own. */
  carry(sender: Peer, nth: number, subscription: Subscription, bytes: Uint8Array): void {
    const receiver = subscription.connection.peer
    this.#count(receiver, 'sent')
    if (this.#isParted(sender, receiver)) {
      this.#count(receiver, 'partitioned')
    } else if (this.#isFaultless) {
      this.#queue.push(this.#parcelFor(subscription, bytes), 0)
    } else {
      this.#expose(sender, nth, subscription, bytes)
    }
  }

  /** Counts a frame that never got on its way. */
  cut(subscription: Subscription): void {
    this.#count(subscription.connection.peer, 'sent')
    this.#count(subscription.connection.peer, 'cut')
  }

  /** Drops what is on its way to a connection that ended. */
  dropLeft(connection: Connection): void {
    const parcels = this.#queue.remove((parcel) => parcel.subscription.connection === connection)
    for (const parcel of parcels) this.#settle(parcel, 'left')
  }

  /** Drops all that is on its way. */
  cutAll(): void {
    for (const parcel of this.#queue.remove(() => true)) this.#settle(parcel, 'cut')
  }

  pause(): void {
    this.#queue.pause()
  }

  resume(): void {
    this.#queue.resume()
  }

  partition(a: ReadonlySet<Peer>, b: ReadonlySet<Peer>): void {
    this.#partitions.push({ a, b })
  }

  heal(): void {
    this.#partitions = []
  }

  #isParted(one: Peer, other: Peer): boolean {
    return this.#partitions.some(({ a, b }) => (a.has(one) && b.has(other)) || (a.has(other) && b.has(one)))
  }

  #expose(sender: Peer, nth: number, subscription: Subscription, bytes: Uint8Array): void {
    const receiver = subscription.connection.peer
    const passages = drawFate(this.#options, { sender: sender.number, nth, receiver: receiver.number })
    if (passages.length === 0) this.#count(receiver, 'lost')
    if (passages.length === 2) this.#count(receiver, 'duplicated')
    for (const passage of passages) this.#sendOn(sender, this.#parcelFor(subscription, bytes), passage)
  }

  #sendOn(sender: Peer, parcel: Parcel, { delayMs, letsPass }: Passage): void {
    if (letsPass > 0) this.#queue.push(parcel, delayMs + MAX_HOLD_MS)
    this.#laneFrom(sender, parcel.subscription.connection).send(parcel, delayMs, letsPass)
  }

  #laneFrom(sender: Peer, { lanes }: Connection): Lane<Parcel> {
    const known = lanes.get(sender)
    if (known) return known
    const lane = new Lane<Parcel>((parcel, delayMs) => this.#queue.push(parcel, delayMs))
    lanes.set(sender, lane)
    return lane
  }

  #deliver(parcel: Parcel): void {
    if (parcel.isSettled) return
    const { subscription, bytes } = parcel
    this.#settle(parcel, subscription.isActive ? 'delivered' : 'left')
    if (!subscription.isActive) return
    const { connection, topic } = subscription
    callHost(connection.host, topic, (host) => host.receive(topic, bytes))
  }

  #parcelFor(subscription: Subscription, bytes: Uint8Array): Parcel {
    return { subscription, bytes: this.#slab.copy(bytes), isSettled: false }
  }

  #settle(parcel: Parcel, event: Counted): void {
    if (parcel.isSettled) return
    parcel.isSettled = true
    this.#count(parcel.subscription.connection.peer, event)
  }

  #count(receiver: Peer, event: Counted): void {
    this.#tally.add(event)
    receiver.tally.add(event)
  }
}
