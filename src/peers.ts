import { Peer } from './peer.ts'

/** How many origins one stream remembers. */
const MAX_PEERS_PER_STREAM = 256
/** How many origins all streams of a hub remember together. */
const MAX_PEERS_PER_HUB = 65_536

/** From this many on, who speaks moves to the end of the line for eviction; below it that would be wasted work. */
const MANY_PEERS = MAX_PEERS_PER_STREAM / 2
/** So many proven origins in front are passed over in one eviction, so that it costs a bounded time. */
const PASSED_OVER = 64

/** The origins that one stream has heard, bounded: who floods it with invented ones evicts those first. */
export class StreamPeers {
  readonly #byOrigin = new Map<string, Peer>()
  readonly #all: HubPeers

  constructor(all: HubPeers) {
    this.#all = all
  }

  get size(): number {
    return this.#byOrigin.size
  }

  /** Returns the peer of an origin, a new one if need be. The last one asked for is evicted last. */
  of(origin: string): Peer {
    const known = this.#byOrigin.get(origin)
    if (known !== undefined) return this.#byOrigin.size < MANY_PEERS ? known : this.#moveToEnd(known)
    if (this.#byOrigin.size >= MAX_PEERS_PER_STREAM) this.#evictOne()
    const peer = new Peer(origin)
    this.#byOrigin.set(origin, peer)
    this.#all.add(peer, this)
    return peer
  }

  delete(peer: Peer): void {
    this.#byOrigin.delete(peer.origin)
    this.#all.delete(peer)
  }

  clear(): void {
    for (const peer of this.#byOrigin.values()) this.#all.delete(peer)
    this.#byOrigin.clear()
  }

  #moveToEnd(peer: Peer): Peer {
    this.#byOrigin.delete(peer.origin)
    this.#byOrigin.set(peer.origin, peer)
    return peer
  }

  #evictOne(): void {
    const peers = [...this.#byOrigin.values()]
    const victim = peers.find((peer) => !peer.isProven) ?? peers[0]
    if (victim !== undefined) this.delete(victim)
  }
}

/** Bounds the origins of all streams of one hub. */
export class HubPeers {
  readonly #streamOf = new Map<Peer, StreamPeers>()

  add(peer: Peer, stream: StreamPeers): void {
    if (this.#streamOf.size >= MAX_PEERS_PER_HUB) this.#evictOne()
    this.#streamOf.set(peer, stream)
  }

  delete(peer: Peer): void {
    this.#streamOf.delete(peer)
  }

  #evictOne(): void {
    let passedOver = 0
    for (const [peer, stream] of this.#streamOf) {
      if (!peer.isProven || ++passedOver > PASSED_OVER) {
        stream.delete(peer)
        return
      }
      this.#streamOf.delete(peer)
      this.#streamOf.set(peer, stream)
    }
  }
}
