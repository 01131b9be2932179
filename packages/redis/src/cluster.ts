import { RivuletError, type Topic, type TransportHost } from 'rivulet'
import { timeoutsOf } from 'rivulet/adapter'
import { type Connection, MOVED } from './connection.ts'
import type { Dialled } from './dial.ts'
import type { Server } from './options.ts'
import { NO_PATTERNS } from './refusal.ts'
import { Shard, type ShardEvents } from './shard.ts'
import { Silence } from './silence.ts'
import { keepsSlots, type SlotRange, slotOf } from './slots.ts'

/** The most topics cached with their shards: a lookup costs more than a send. */
const MAX_TOPICS = 8_192
/** Interval at which all nodes are asked for the slots: nodes do not announce every move. */
const SLOTS_INTERVAL_MS = 2_000
/** Part of a barrier's time that the other nodes have after the first one connects, before the hub is up without them. */
const GRACE = 0.6
const GONE = 'the connection is gone'

/** Dials the nodes of a cluster. */
export interface Dialling {
  /** Whether the transport was connected before. */
  readonly wasUp: boolean
  /** Dials a node with the secrets of this attempt to connect. */
  dial(server: Server, signal: AbortSignal): Promise<Dialled>
  /** Dials a node later, with fresh secrets. */
  redial(server: Server, signal: AbortSignal): Promise<Dialled>
}

/** Connects to each node of a cluster that has slots. Closes `asked`, the connection that has listed them. */
export async function openCluster(
  asked: Dialled,
  host: TransportHost,
  dialling: Dialling,
  signal: AbortSignal,
): Promise<Cluster> {
  asked.client.destroy()
  const cluster = new Cluster(asked.server, asked.ranges ?? [], host, dialling)
  try {
    await cluster.open(signal)
    return cluster
  } catch (cause) {
    await cluster.close(AbortSignal.abort())
    throw cause
  }
}

/**
 * The connections to all nodes of a cluster, each for the topics of its slots. A lost one is reconnected while the
 * others continue; when the last one is lost the cluster ends.
 */
export class Cluster {
  readonly server: string
  readonly #host: TransportHost
  readonly #dialling: Dialling
  readonly #silence: Silence
  #ranges: readonly SlotRange[]
  /** Keyed by the labels of their servers. */
  readonly #shards = new Map<string, Shard>()
  readonly #owners = new Map<Topic, Shard | undefined>()
  /** While true the host may be called. */
  #isLive = true
  /** Whether all nodes were dialled at least once. */
  #isOpen = false
  #slotsTimer: NodeJS.Timeout | undefined

  constructor(asked: Server, ranges: readonly SlotRange[], host: TransportHost, dialling: Dialling) {
    this.server = asked.label
    this.#host = host
    this.#dialling = dialling
    this.#ranges = named(ranges, asked)
    this.#silence = new Silence(timeoutsOf(host).barrierMs, () => this.#connections())
    for (const [label, server] of serversOf(this.#ranges)) this.#shards.set(label, this.#newShard(server))
  }

  /** Dials all nodes at once. Rejects when none of them answers, or when one refuses at the first connection. */
  async open(signal: AbortSignal): Promise<void> {
    const { wasUp } = this.#dialling
    const missing = await this.#dialAll(signal)
    signal.throwIfAborted()
    const causes = [...missing.values()]
    const refusal = causes.find((cause) => RivuletError.is(cause) && cause.code === 'TRANSPORT_FAILED')
    if (refusal !== undefined && !wasUp) throw refusal
    if (this.#connections().length === 0) throw causes[0]
    this.#isOpen = true
    // In a later turn: by then the host is up, and its program listens for errors.
    setImmediate(() => {
      for (const [shard, cause] of missing) if (this.#isLive) shard.miss(cause as Error)
    })
    this.#askSlotsLater()
  }

  send(topic: Topic, frame: Uint8Array | string): 'sent' | 'offline' {
    return this.#isLive ? (this.#ownerOf(topic)?.send(topic, frame) ?? 'offline') : 'offline'
  }

  async join(topic: Topic, signal: AbortSignal): Promise<void> {
    const owner = this.#ownerOf(topic)
    if (owner === undefined) throw new Error('no node has the slot of this channel')
    await owner.join(topic, signal)
    if (this.#ownerOf(topic) === owner) return
    owner.leave(topic)
    throw new RivuletError('TRANSPORT_UNAVAILABLE', `The channel is joined anew: ${MOVED}.`)
  }

  watch(): Promise<void> {
    return Promise.reject(new Error(NO_PATTERNS))
  }

  leave(topic: Topic): void {
    // Leaves on all shards: the slot may have moved since the join.
    for (const shard of this.#shards.values()) shard.leave(topic)
  }

  async flush(signal: AbortSignal): Promise<void> {
    if (!this.#isLive) throw new Error(GONE)
    this.#silence.watch()
    await Promise.all([...this.#shards.values()].map((shard) => shard.flush(signal)))
    if (!this.#isLive) throw new Error(GONE)
  }

  bufferedBytes(): number {
    let bytes = 0
    for (const connection of this.#connections()) bytes += connection.bufferedBytes()
    return bytes
  }

  async close(signal: AbortSignal): Promise<void> {
    this.#isLive = false
    clearTimeout(this.#slotsTimer)
    this.#silence.stop()
    await Promise.all([...this.#shards.values()].map((shard) => shard.close(signal)))
  }

  /** Resolves to the shards that could not be reached, each with the reason. */
  async #dialAll(signal: AbortSignal): Promise<Map<Shard, unknown>> {
    const missing = new Map<Shard, unknown>()
    const giveUp = new AbortController()
    const onAbort = () => giveUp.abort(signal.reason)
    signal.addEventListener('abort', onAbort)
    const graceMs = timeoutsOf(this.#host).barrierMs * GRACE
    const late = new Error(`It did not answer within ${graceMs} ms of another node.`)
    let grace: NodeJS.Timeout | undefined
    const dial = async (shard: Shard) => {
      try {
        shard.rise(await this.#dialling.dial(shard.server, giveUp.signal))
        grace ??= setTimeout(() => giveUp.abort(late), graceMs)
      } catch (cause) {
        missing.set(shard, cause)
      }
    }
    await Promise.all([...this.#shards.values()].map(dial))
    clearTimeout(grace)
    signal.removeEventListener('abort', onAbort)
    return missing
  }

  #newShard(server: Server): Shard {
    const events: ShardEvents = {
      host: this.#host,
      dial: (server, signal) => this.#dialling.redial(server, signal),
      slotsReported: (shard, ranges) => this.#takeSlots(shard, named(ranges, shard.server)),
      moved: () => this.#askSlots(),
      lost: (cause) => this.#lost(cause),
    }
    return new Shard(server, events)
  }

  /** Handles the loss of a connection; the loss of the last one ends the cluster. */
  #lost(cause: Error): boolean {
    if (!this.#isLive) return false
    if (this.#connections().length > 0) return true
    this.#host.down(cause)
    void this.close(AbortSignal.abort())
    return false
  }

  #askSlotsLater(): void {
    this.#slotsTimer = setTimeout(() => {
      this.#askSlotsLater()
      this.#askSlots()
    }, SLOTS_INTERVAL_MS)
  }

  /** Asks all nodes for the owners of the slots. */
  #askSlots(): void {
    if (!this.#isLive) return
    this.#silence.watch()
    for (const shard of this.#shards.values()) void shard.askSlots()
  }

  /** Adopts the majority's view: while slots move, or the cluster is partitioned, nodes disagree. */
  #takeSlots(shard: Shard, ranges: readonly SlotRange[]): void {
    const word = JSON.stringify(ranges)
    const isNew = shard.word !== word
    shard.word = word
    if (!this.#isLive || !this.#isOpen || word === JSON.stringify(this.#ranges)) return
    const connected = [...this.#shards.values()].filter(({ connection }) => connection !== undefined)
    const others = connected.filter((each) => each.word !== word)
    if (others.length < connected.length / 2) this.#adopt(ranges)
    else if (isNew) for (const other of others) void other.askSlots()
  }

  /** Adopts new owners: ends the connections to the nodes that lost slots, so that their topics are joined again. */
  #adopt(ranges: readonly SlotRange[]): void {
    const before = this.#ranges
    const servers = serversOf(ranges)
    const shards = [...this.#shards]
    this.#ranges = ranges
    this.#owners.clear()
    const added = [...servers].filter(([label]) => !this.#shards.has(label))
    for (const [label, server] of added) this.#shards.set(label, this.#newShard(server))
    for (const [label] of added) void this.#shards.get(label)?.dial()
    const cause = new Error(MOVED)
    for (const [label, shard] of shards) {
      if (servers.has(label)) {
        if (!keepsSlots(before, ranges, (range) => labelOf(range) === label)) shard.connection?.end(cause)
      } else {
        this.#shards.delete(label)
        shard.retire(cause)
      }
    }
  }

  #connections(): Connection[] {
    const connections = [...this.#shards.values()].map(({ connection }) => connection)
    return connections.filter((connection) => connection !== undefined)
  }

  #ownerOf(topic: Topic): Shard | undefined {
    if (this.#owners.has(topic)) return this.#owners.get(topic)
    if (this.#owners.size === MAX_TOPICS) this.#owners.clear()
    const slot = slotOf(topic)
    const range = this.#ranges.find(({ first, last }) => first <= slot && slot <= last)
    const owner = range && this.#shards.get(labelOf(range))
    this.#owners.set(topic, owner)
    return owner
  }
}

/** Fills in a missing host with that of the server asked. */
function named(ranges: readonly SlotRange[], { address }: Server): readonly SlotRange[] {
  const known = 'host' in address ? address.host : '127.0.0.1'
  return ranges.map((range) => ({ ...range, host: range.host ?? known }))
}

function serversOf(ranges: readonly SlotRange[]): Map<string, Server> {
  const servers = new Map<string, Server>()
  for (const range of ranges) {
    const { host = '', port } = range
    servers.set(labelOf(range), { label: labelOf(range), address: { host, port } })
  }
  return servers
}

function labelOf({ host, port }: SlotRange): string {
  return `${host}:${port}`
}
