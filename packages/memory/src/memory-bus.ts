import type { Transport } from 'rivulet'
import { invalidOptions } from 'rivulet/adapter'
import { Broker } from './broker.ts'
import { capabilitiesOf, type MemoryBusOptions, resolveOptions } from './bus-options.ts'
import { type BusCounts, type Client, type Connection, Counter } from './client.ts'

/** One side of a partition. */
type Side = Transport | readonly Transport[]

/** Links the hubs of one process, and breaks the links on request. */
export interface MemoryBus {
  /**
   * Makes one more transport, for one hub. Transports are numbered in creation order; faults are drawn by these
   * numbers.
   */
  transport(): Transport

  /**
   * Loses every frame between the two sides from now on, in both directions; all stay connected. A side is one transport
   * or several. Partitions add up until `heal`; frames paused by a freeze count as sent at `thaw`. Throws
   * `INVALID_OPTIONS` when a side is empty, contains a transport of another bus, or shares one with the other side.
   */
  partition(a: Side, b: Side): void

  /** Ends all partitions. */
  heal(): void

  /**
   * Pauses the bus without losing anything, like a stalled network: frames, also those in flight, joins, flushes and
   * opening wait for `thaw`, and so does a `close` with unsent frames. `leave` still acts at once.
   */
  freeze(): void

  /** Resumes everything that `freeze` paused, late and in order. */
  thaw(): void

  /**
   * Ends the bus like a broker crash: frames in flight are cut, open transports get `host.down(cause)`
   * before this returns, and opening rejects with `cause` until `up`.
   */
  down(cause?: Error): void

  /** Lets transports open again. */
  up(): void

  /** Returns the counts of all deliveries so far, or of those to one transport. */
  counts(receiver?: Transport): BusCounts
}

/**
 * Makes a bus. It delivers every frame once, in order and within the tick unless the options inject faults.
 * Throws `INVALID_OPTIONS`.
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
  // Kept after its end, since frames that it sent may still be paused by a freeze.
  let connection: Connection | undefined
  // Counts every call, also refused ones, so that an outage does not shift the faults of later frames.
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
      connection = { client, host, subscriptions: new Map(), reordered: new Set(), state: 'opening' }
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
  if (a.size === 0 || b.size === 0) throw invalidOptions('A side of a partition has no transport.')
  if ([...a].some((client) => b.has(client))) {
    throw invalidOptions('A transport is on both sides of the partition.')
  }
  return [a, b]
}

function clientOf(clients: WeakMap<Transport, Client>, transport: Transport): Client {
  const client = clients.get(transport)
  if (client) return client
  throw invalidOptions('The transport was not made by this bus; pass what its transport() returned.')
}
