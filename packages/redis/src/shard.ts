import { setTimeout as delay } from 'node:timers/promises'
import { RivuletError, type Topic, type TransportHost } from 'rivulet'
import { Connection } from './connection.ts'
import type { Dialled } from './dial.ts'
import type { Server } from './options.ts'
import { awayOf } from './refusal.ts'
import type { SlotRange } from './slots.ts'

/** The least and the greatest delay before an attempt to reconnect. */
const FIRST_RETRY_MS = 100
const LAST_RETRY_MS = 5_000
const NO_CLUSTER = 'the server is part of no cluster any more'

/** The calls that a shard makes to its cluster. */
export interface ShardEvents {
  readonly host: TransportHost
  /** Connects to one node, with fresh secrets. */
  dial(server: Server, signal: AbortSignal): Promise<Dialled>
  /** Reports the slots as a node has answered. */
  slotsReported(shard: Shard, ranges: readonly SlotRange[]): void
  /** Reports that a channel belongs to another node. */
  moved(): void
  /** Reports the loss of a connection. Returns whether another shard is connected, so that the hub stays up. */
  lost(cause: Error): boolean
}

/** One node of a cluster with slots, and its connection, which is reestablished whenever it is lost. */
export class Shard {
  readonly server: Server
  /** The node's last answer for all slots, while it is connected. */
  word: string | undefined
  readonly #events: ShardEvents
  readonly #retired = new AbortController()
  #connection: Connection | undefined
  /** The reason for the current outage, or for the last one. */
  #away: RivuletError
  /** Topics with a confirmed join. */
  readonly #joined = new Set<Topic>()
  /** Topics and refusals already reported during this outage. */
  readonly #reported = new Set<string>()
  #isAsking = false

  constructor(server: Server, events: ShardEvents) {
    this.server = server
    this.#events = events
    this.#away = awayOf(server.label, new Error('It is not connected yet.'))
  }

  /** The connection, unless it is lost. */
  get connection(): Connection | undefined {
    return this.#connection
  }

  /** Adopts a connection to the node. Throws when the node is no longer part of a cluster. */
  rise(dialled: Dialled): void {
    const { host } = this.#events
    const { client, ranges } = dialled
    const isRetired = this.#retired.signal.aborted
    if (isRetired || ranges === undefined) client.destroy()
    if (isRetired) return
    if (ranges === undefined) throw new Error(NO_CLUSTER)
    const own: TransportHost = {
      hub: host.hub,
      timeouts: host.timeouts,
      receive: (topic, frame) => host.receive(topic, frame),
      watched: (topic, frame) => host.watched(topic, frame),
      error: (topic, cause) => host.error(topic, cause),
      left: (topic, cause) => host.left(topic, cause),
      down: (cause) => this.#lost(connection, cause as Error),
    }
    const connection = new Connection(dialled, own, () => this.#events.moved())
    this.#connection = connection
    this.#reported.clear()
    this.#events.slotsReported(this, ranges)
  }

  /** Reports that the node cannot be reached, and keeps trying. */
  miss(cause: Error): void {
    this.#away = awayOf(this.server.label, cause)
    this.#events.host.error(undefined, this.#away)
    void this.dial(1)
  }

  /** Connects. `failures`: the number of failed attempts. */
  async dial(failures = 0): Promise<void> {
    const { signal } = this.#retired
    for (let nth = failures; !signal.aborted; nth += 1) {
      try {
        if (nth > 0) await delay(retryMs(nth), undefined, { signal })
        return this.rise(await this.#events.dial(this.server, signal))
      } catch (cause) {
        // The outage was reported already. A refusal is reported too, since it does not end by itself.
        if (RivuletError.is(cause) && cause.code === 'TRANSPORT_FAILED') this.#report(undefined, cause)
      }
    }
  }

  send(topic: Topic, frame: Uint8Array | string): 'sent' | 'offline' {
    if (this.#connection !== undefined) return this.#connection.send(topic, frame)
    // In a microtask: a listener of the error may publish, which must not overtake the current frame.
    queueMicrotask(() => this.#report(topic, this.#away))
    return 'offline'
  }

  async join(topic: Topic, signal: AbortSignal): Promise<void> {
    const connection = this.#connection
    if (connection === undefined) throw this.#away
    try {
      await connection.join(topic, signal)
    } catch (cause) {
      throw this.#connection === connection ? cause : this.#away
    }
    if (this.#connection !== connection) throw this.#away
    this.#joined.add(topic)
  }

  leave(topic: Topic): void {
    this.#joined.delete(topic)
    this.#connection?.leave(topic)
  }

  /** Resolves also when the connection is lost: its unanswered frames are reported by then. */
  async flush(signal: AbortSignal): Promise<void> {
    const connection = this.#connection
    try {
      await connection?.flush(signal)
    } catch (cause) {
      if (this.#connection === connection) throw cause
    }
  }

  /** Asks the node for the owners of the slots, and passes them to the cluster. */
  async askSlots(): Promise<void> {
    const connection = this.#connection
    if (connection === undefined || this.#isAsking) return
    this.#isAsking = true
    try {
      const ranges = await connection.slots()
      if (ranges === undefined) throw new Error(NO_CLUSTER)
      if (this.#connection === connection) this.#events.slotsReported(this, ranges)
    } catch (cause) {
      connection.end(cause)
    } finally {
      this.#isAsking = false
    }
  }

  /** Ends the connection for good: the node has no slots any more. */
  retire(cause: Error): void {
    this.#retired.abort()
    this.#connection?.end(cause)
  }

  async close(signal: AbortSignal): Promise<void> {
    this.#retired.abort()
    await this.#connection?.close(signal)
  }

  #lost(connection: Connection, cause: Error): void {
    if (this.#connection !== connection) return
    this.#connection = undefined
    this.word = undefined
    this.#away = awayOf(this.server.label, cause)
    if (!this.#events.lost(cause)) return
    this.#events.host.error(undefined, this.#away)
    // Now: no barrier confirms frames in flight on this connection.
    for (const topic of connection.unanswered()) this.#report(topic, this.#away)
    // In a later turn: the host may not have been notified yet that a join was confirmed.
    setImmediate(() => this.#leaveAll())
    void this.dial(1)
  }

  /** Reports the joins that ended with the connection. */
  #leaveAll(): void {
    for (const topic of this.#joined) {
      this.#joined.delete(topic)
      this.#reported.add(topic)
      this.#events.host.left(topic, this.#away)
    }
  }

  /** Reports an error once per outage. */
  #report(topic: Topic | undefined, error: RivuletError): void {
    const what = topic ?? error.message
    if (this.#reported.has(what)) return
    this.#reported.add(what)
    this.#events.host.error(topic, error)
  }
}

function retryMs(failures: number): number {
  return Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(failures - 1, 10)) * (0.5 + Math.random() / 2)
}
