import type { Transport } from 'rivulet'
import { Broker } from './broker.ts'
import { type BusCounts, Tally } from './bus-counts.ts'
import { type MemoryBusOptions, resolveOptions } from './bus-options.ts'
import type { Peer } from './connection.ts'
import { MemoryTransport } from './memory-transport.ts'

/** Links the hubs of one process, and breaks the links on request. */
export interface MemoryBus {
  /**
   * Makes one more transport, for one hub. Transports are numbered in the order in which they are made; fates
   * depend on these numbers.
   */
  transport(): Transport

  /**
   * Loses every frame that one side sends to the other from now on, both ways; all stay connected. A side is one
   * transport or several. Partitions add up until `heal`; what a freeze holds counts as sent at `thaw`. Throws `TypeError` when a side is empty, holds a
   * transport of another bus, or shares one with the other side.
   */
  partition(a: Transport | readonly Transport[], b: Transport | readonly Transport[]): void

  /** Ends all partitions. */
  heal(): void

  /**
   * Stops everything without losing anything, as a stalled network does: frames, also those on their way, joins,
   * flushes, opening and the handing over of `close` wait for `thaw`. `leave` still acts at once.
   */
  freeze(): void

  /** Lets everything that `freeze` held go on, late and in order. */
  thaw(): void

  /**
   * Kills the bus, as a broker that crashes: frames on their way are cut, open transports get `host.down(cause)`
   * before this returns, and opening rejects with `cause` until `up`.
   */
  down(cause?: Error): void

  /** Lets transports open again. */
  up(): void

  /** Reads what became of the frames so far, of all or of those sent to one transport. */
  counts(receiver?: Transport): BusCounts
}

/**
 * Makes a bus, which delivers every frame once, in order and within the tick unless the options say otherwise.
 * Throws `TypeError` or `RangeError` for an option that is wrong.
 */
export function memoryBus(options?: MemoryBusOptions): MemoryBus {
  const broker = new Broker(resolveOptions(options))
  const peers = new WeakMap<Transport, Peer>()
  let made = 0
  return {
    transport() {
      const peer = { number: made++, tally: new Tally() }
      const transport = new MemoryTransport(broker, peer)
      peers.set(transport, peer)
      return transport
    },
    partition: (a, b) => broker.carrier.partition(...sidesOf(peers, a, b)),
    heal: () => broker.carrier.heal(),
    freeze: () => broker.freeze(),
    thaw: () => broker.thaw(),
    down: (cause = new Error('The memory bus is down.')) => broker.down(cause),
    up: () => broker.up(),
    counts: (receiver) => (receiver ? peerOf(peers, receiver).tally.read() : broker.carrier.counts),
  }
}

function sidesOf(
  peers: WeakMap<Transport, Peer>,
  a: Transport | readonly Transport[],
  b: Transport | readonly Transport[],
): [Set<Peer>, Set<Peer>] {
  const sideA = new Set([a].flat().map((transport) => peerOf(peers, transport)))
  const sideB = new Set([b].flat().map((transport) => peerOf(peers, transport)))
  if (sideA.size === 0 || sideB.size === 0) throw new TypeError('A side of a partition has no transport.')
  for (const peer of sideA) {
    if (sideB.has(peer)) throw new TypeError('A transport is on both sides of the partition.')
  }
  return [sideA, sideB]
}

function peerOf(peers: WeakMap<Transport, Peer>, transport: Transport): Peer {
  const peer = peers.get(transport)
  if (!peer)
    throw new TypeError('The transport was not made by this bus; pass what its transport() returned.')
  return peer
}
