import type { Hub, Stream } from 'rivulet'
import { ApiError } from '../base/problem.ts'
import type { RemovalReason, StreamRegistry } from '../registry/registry.ts'
import { hubNameOf, type StreamRecord } from '../registry/stream-record.ts'
import { Broadcast } from './broadcast.ts'

/** The streams of the registry that are in use here, each with its stream in the hub. */
export class LiveStreams {
  readonly #services: ReadonlyMap<string, Hub>
  readonly #registry: StreamRegistry
  /** Sids of streams whose removal was asked for here. */
  readonly #removing = new Set<string>()
  readonly #streams = new Map<string, Stream>()
  readonly #broadcasts = new Map<string, Broadcast>()
  #isClosed = false

  constructor(services: ReadonlyMap<string, Hub>, registry: StreamRegistry) {
    this.#services = services
    this.#registry = registry
    registry.onRemoved((record, reason) => this.#ended(record, reason))
  }

  /** Gives the hub's stream of a record. Throws `HUB_CLOSED`. */
  streamOf(record: StreamRecord): Stream {
    const open = this.#streams.get(record.sid)
    if (open !== undefined && !open.closed) return open
    const stream = this.#hubOf(record).stream(hubNameOf(record)) as unknown as Stream
    this.#streams.set(record.sid, stream)
    return stream
  }

  /** Gives what listeners of a record listen to. */
  broadcastOf(record: StreamRecord): Broadcast {
    const { sid } = record
    // A request may have waited for the registry meanwhile: nobody would end its listener.
    if (this.#isClosed) throw new ApiError('unavailable', { 'retry-after': '2' })
    const running = this.#broadcasts.get(sid)
    if (running !== undefined) return running
    const broadcast: Broadcast = new Broadcast(record, this.streamOf(record), (over) => {
      if (this.#broadcasts.get(sid) === over) this.#broadcasts.delete(sid)
    })
    this.#broadcasts.set(sid, broadcast)
    return broadcast
  }

  /** Gives what listeners of a stream listen to, if there are any. */
  runningBroadcastOf(sid: string): Broadcast | undefined {
    return this.#broadcasts.get(sid)
  }

  /** Tells all listeners that the gateway ends. */
  close(): void {
    this.#isClosed = true
    for (const broadcast of [...this.#broadcasts.values()]) {
      broadcast.end({ event: 'closing', reason: 'shutdown' })
    }
  }

  /** Removes a stream everywhere: other gateways hear of it from the registry, other programs through the hub. */
  async remove(record: StreamRecord): Promise<boolean> {
    this.#removing.add(record.sid)
    try {
      return await this.#registry.remove(record)
    } finally {
      this.#removing.delete(record.sid)
    }
  }

  /** At once, since the next stream of that name may come right after it. */
  #ended(record: StreamRecord, reason: RemovalReason): void {
    const hub = this.#hubOf(record)
    this.#broadcasts.get(record.sid)?.end({ event: 'removed', reason })
    if (this.#removing.has(record.sid) && hub.status !== 'closed') hub.stream(hubNameOf(record)).remove()
    else this.#streams.get(record.sid)?.close()
    this.#streams.delete(record.sid)
  }

  #hubOf(record: StreamRecord): Hub {
    return this.#services.get(record.serviceSid) as Hub
  }
}
