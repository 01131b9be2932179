import type { Transport } from 'rivulet'
import { Broker } from './broker.ts'
import { capabilitiesOf, type MemoryBusOptions, resolveOptions } from './bus-options.ts'
import { type BusCounts, type Client, type Connection, Counter } from './client.ts'

/** One side of a partition. */
type Side = Transport | readonly Transport[]

/** Links the hubs of one process, and breaks the links on request. */
export interface MemoryBus {
  /**
   * Makes one more transport, for one hub. Transports are numbered in the order in which they are made; faults
   * are drawn by these numbers.
   */
  transport(): Transport

  /**
   * Loses every frame that one side sends to the other from now on, both ways; all stay connected. A side is one
   * transport or several. Partitions add up until `heal`; what a freeze holds counts as sent at `thaw`. Throws
   * `TypeError` when a side is empty, holds a transport of another bus, or shares one with the other side.
   */
  partition(a: Side, b: Side): void

  /** Ends all partitions. */
  heal(): void

  /**
   * Stops everything without losing anything, as a stalled network does: frames, also those on their way, joins,
   * flushes and opening wait for `thaw`, and so does a `close` with frames to hand over. `leave` still acts at once.
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
  const clients = new WeakMap<Transport, Client>()
  let made = 0
  return {
    transport() {
      const client = { number: made++, counter: new Counter() }
      const transport = transportOf(broker, client)
      clients.set(transport, client)
      return transport
    },
    partition: (a, b) => broker.partition(...sidesOf(clients, a, b)),
    heal: () => broker.heal(),
    freeze: () => broker.freeze(),
    thaw: () => broker.thaw(),
    down: (cause = new Error('The memory bus is down.')) => broker.down(cause),
    up: () => broker.up(),
    counts: (receiver) =>
      receiver ? clientOf(clients, receiver).counter.read() : broker.deliveries.counter.read(),
  }
}

function transportOf(broker: Broker, client: Client): Transport {
  // Kept when it has ended, since a freeze may still hold what it sent.
  let connection: Connection | undefined
  // Counts every call, refused ones too, so that an outage does not shift the faults of later frames.
  let sends = 0
  const upConnection = () => {
    if (connection?.state === 'up') return connection
    throw new Error('The transport is not open; open it first.')
  }
  return {
    name: 'memory',
    capabilities: capabilitiesOf(broker.options),
    async open(host, signal) {
      if (connection && connection.state !== 'ended') {
        throw new Error('The transport is open or opening; close it before opening it again.')
      }
      connection = { client, host, subscriptions: new Map(), heldBack: new Set(), state: 'opening' }
      await broker.open(connection, signal)
    },
    send(topic, frame) {
      const nth = sends++
      return connection?.state === 'up' ? broker.send(connection, nth, topic, frame) : 'offline'
    },
    join: async (topic, signal) => broker.join(upConnection(), topic, signal),
    leave(topic) {
      if (connection) broker.leave(connection, topic)
    },
    watch: async (hub, signal) => broker.watch(upConnection(), hub, signal),
    flush: async (signal) => broker.flush(upConnection(), signal),
    async close(signal) {
      if (connection) await broker.close(connection, signal)
    },
  }
}

function sidesOf(clients: WeakMap<Transport, Client>, ...sides: [Side, Side]): [Set<Client>, Set<Client>] {
  const sideOf = (side: Side) => new Set([side].flat().map((transport) => clientOf(clients, transport)))
  const [a, b] = [sideOf(sides[0]), sideOf(sides[1])]
  if (a.size === 0 || b.size === 0) throw new TypeError('A side of a partition has no transport.')
  if ([...a].some((client) => b.has(client))) {
    throw new TypeError('A transport is on both sides of the partition.')
  }
  return [a, b]
}

function clientOf(clients: WeakMap<Transport, Client>, transport: Transport): Client {
  const client = clients.get(transport)
  if (client) return client
  throw new TypeError('The transport was not made by this bus; pass what its transport() returned.')
}
