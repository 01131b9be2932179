import { Peer } from './peer.ts'

/** How many origins one stream remembers. */
const MAX_PEERS_PER_STREAM = 256
/** How many origins all streams of a hub remember together. */
const MAX_PEERS_PER_HUB = 65_536

/** From this many on, who speaks moves to the end of the line for eviction; below it that would be wasted work. */
const MANY_PEERS = MAX_PEERS_PER_STREAM / 2

/** The origins that one stream has heard, bounded: who floods it with invented ones evicts those first. */
export class StreamPeers {
  readonly #byOrigin = new Map<string, Peer>()
  readonly #all: HubPeers
  #last: Peer | undefined

  constructor(all: HubPeers) {
    this.#all = all
  }

  /** The peer that was asked for last, most likely the next one too. */
  get last(): Peer | undefined {
    return this.#last
  }

  get size(): number {
    return this.#byOrigin.size
  }

  /** Returns the peer of an origin, a new one if need be. The last one asked for is evicted last. */
  of(origin: string): Peer {
    if (this.#last?.origin === origin) return this.#last
    let peer = this.#byOrigin.get(origin)
    if (peer === undefined) {
      if (this.size >= MAX_PEERS_PER_STREAM) this.#evictOne()
      peer = new Peer(origin)
      this.#all.add(peer, this)
    } else if (this.size >= MANY_PEERS) this.#byOrigin.delete(origin)
    this.#byOrigin.set(origin, peer)
    this.#last = peer
    return peer
  }

  /** Returns the peer of an origin that is known. */
  find(origin: string): Peer | undefined {
    return this.#byOrigin.get(origin)
  }

  delete(peer: Peer): void {
    if (this.#last === peer) this.#last = undefined
    this.#byOrigin.delete(peer.origin)
    this.#all.delete(peer)
  }

  clear(): void {
    for (const peer of this.#byOrigin.values()) this.#all.delete(peer)
    this.#byOrigin.clear()
    this.#last = undefined
  }

  #evictOne(): void {
    const peers = [...this.#byOrigin.values()]
    this.delete(peers.find((peer) => !peer.isProven) ?? (peers[0] as Peer))
  }
}

/** Bounds the origins of all streams of one hub. */
export class HubPeers {
  /** Those that came, in that order; they may be proven by now. */
  readonly #newcomers = new Map<Peer, StreamPeers>()
  /** Those that were found proven when a newcomer had to go. */
  readonly #proven = new Map<Peer, StreamPeers>()

  get size(): number {
    return this.#newcomers.size + this.#proven.size
  }

  add(peer: Peer, stream: StreamPeers): void {
    if (this.size >= MAX_PEERS_PER_HUB) this.#evictOne()
    this.#newcomers.set(peer, stream)
  }

  delete(peer: Peer): void {
    if (!this.#newcomers.delete(peer)) this.#proven.delete(peer)
  }

  /** Costs O(1) amortized: an origin moves over once. */
  #evictOne(): void {
    for (const [peer, stream] of this.#newcomers) {
      if (!peer.isProven) return stream.delete(peer)
      this.#newcomers.delete(peer)
      this.#proven.set(peer, stream)
    }
    for (const [peer, stream] of this.#proven) return stream.delete(peer)
  }
}
