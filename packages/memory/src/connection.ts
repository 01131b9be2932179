import type { Topic, TransportHost } from 'rivulet'
import type { Tally } from './bus-counts.ts'
import type { Lane } from './hold-back.ts'

/** A transport as its bus knows it; stays the same over all its connections. */
export interface Peer {
  readonly number: number
  readonly tally: Tally
}

/** One `open` of a transport. */
export class Connection {
  readonly peer: Peer
  readonly host: TransportHost
  readonly subscriptions = new Map<Topic, Subscription>()
  /** Frames on their way here that later ones may overtake, by sender. */
  readonly lanes = new Map<Peer, Lane<Parcel>>()
  /** Opening, then up, then gone; never back. */
  state: 'opening' | 'up' | 'gone' = 'opening'

  constructor(peer: Peer, host: TransportHost) {
    this.peer = peer
    this.host = host
  }
}

/** One `join`. A frame belongs to the join that it was routed to, so a later one does not get it. */
export interface Subscription {
  readonly connection: Connection
  readonly topic: Topic
  isActive: boolean
}

/** One copy of a frame on its way to one receiver. */
export interface Parcel {
  readonly subscription: Subscription
  readonly bytes: Uint8Array
  /** A parcel that was held back stands in the queue twice; the first to come up settles it. */
  isSettled: boolean
}

/** Calls a host, which must not throw but may. What it throws is reported to it once. */
export function callHost(
  host: TransportHost,
  topic: Topic | undefined,
  call: (host: TransportHost) => void,
): void {
  try {
    call(host)
  } catch (thrown) {
    try {
      host.error(topic, thrown instanceof Error ? thrown : new Error(String(thrown)))
    } catch {
      // Nobody is left to tell.
    }
  }
}
