import { Broadcast, unavailable } from '@rivulet/gateway/protocol'
import type { Hub, Stream } from 'rivulet'
import { runOutside } from 'rivulet/adapter'
import type { RemovalReason, StreamRegistry } from '../registry/registry.ts'
import { hubNameOf, type StreamRecord } from '../registry/stream-record.ts'

// How long a message may be on its way to have been published before the removal.
const LONGEST_LEAVE_MS = 500

/** The streams of the registry that are in use here, each with its stream in the hub. */
export class LiveStreams {
  readonly #services: ReadonlyMap<string, Hub>
  readonly #registry: StreamRegistry
  // Keyed by service and sid: of a shared registry, another service's writer could take a sid a second time.
  /** Streams whose removal was asked for here. */
  readonly #removing = new Set<string>()
  readonly #streams = new Map<string, Stream>()
  /** Spares publishing the making of a key. */
  readonly #byRecord = new WeakMap<StreamRecord, Stream>()
  readonly #broadcasts = new Map<string, Broadcast<StreamRecord>>()
  /** Ends those that another gateway has removed, whose last messages may still be on their way. */
  readonly #leaving = new Map<string, () => void>()
  #isClosed = false

  constructor(services: ReadonlyMap<string, Hub>, registry: StreamRegistry) {
    this.#services = services
    this.#registry = registry
    registry.onRemoved((record, reason) => this.#ended(record, reason))
  }

  /** Gives the hub's stream of a record. Throws `HUB_CLOSED`. */
  streamOf(record: StreamRecord): Stream {
    const known = this.#byRecord.get(record)
    if (known !== undefined && !known.closed) return known
    const stream = this.#openStream(record)
    this.#byRecord.set(record, stream)
    return stream
  }

  #openStream(record: StreamRecord): Stream {
    const key = keyOf(record)
    const open = this.#streams.get(key)
    if (open !== undefined && !open.closed) return open
    // The last stream of that name is the same one to the hub.
    this.#leaving.get(nameKeyOf(record))?.()
    const stream = this.#hubOf(record).stream(hubNameOf(record)) as unknown as Stream
    this.#streams.set(key, stream)
    return stream
  }

  /** Gives the broadcast of a stream; starts one when none is running. */
  broadcastOf(record: StreamRecord): Broadcast<StreamRecord> {
    const key = keyOf(record)
    // A request may have waited for the registry meanwhile: its listener would never end.
    if (this.#isClosed) throw unavailable()
    const running = this.#broadcasts.get(key)
    if (running !== undefined) return running
    // It outlives the request that starts it.
    const broadcast = runOutside(
      () =>
        new Broadcast(record, this.streamOf(record), (over) => {
          if (this.#broadcasts.get(key) === over) this.#broadcasts.delete(key)
        }),
    )
    this.#broadcasts.set(key, broadcast)
    return broadcast
  }

  /** Gives the broadcast of a stream, if it has listeners. */
  runningBroadcastOf(record: StreamRecord): Broadcast<StreamRecord> | undefined {
    return this.#broadcasts.get(keyOf(record))
  }

  /** Ends all listeners, because the gateway ends. */
  close(): void {
    this.#isClosed = true
    for (const end of [...this.#leaving.values()]) end()
    for (const broadcast of [...this.#broadcasts.values()]) {
      broadcast.end({ event: 'closing', reason: 'shutdown' })
    }
  }

  /** Removes a stream everywhere: other gateways learn it from the registry, other programs through the hub. */
  async remove(record: StreamRecord): Promise<boolean> {
    const key = keyOf(record)
    this.#removing.add(key)
    try {
      return await this.#registry.remove(record)
    } finally {
      this.#removing.delete(key)
    }
  }

  #ended(record: StreamRecord, reason: RemovalReason): void {
    const key = keyOf(record)
    const isOwn = this.#removing.has(key)
    const isHeard = this.#broadcasts.has(key) && this.#hubOf(record).status === 'up'
    if (isOwn || reason === 'expired' || !isHeard) this.#end(record, reason, isOwn)
    else this.#endSoon(record)
  }

  #end(record: StreamRecord, reason: RemovalReason, isOwn = false): void {
    const hub = this.#hubOf(record)
    const key = keyOf(record)
    this.#broadcasts.get(key)?.end({ event: 'removed', reason })
    if (isOwn && hub.status !== 'closed') hub.stream(hubNameOf(record)).remove()
    else closeUnheard(this.#streams.get(key))
    this.#streams.delete(key)
  }

  /**
   * Another gateway has removed the stream. The hub learns it after the last messages; the registry, which has
   * another connection, may be faster.
   */
  #endSoon(record: StreamRecord): void {
    const name = nameKeyOf(record)
    const end = () => {
      clearTimeout(timer)
      this.#leaving.delete(name)
      this.#end(record, 'removed')
    }
    const timer = setTimeout(end, LONGEST_LEAVE_MS)
    this.#leaving.set(name, end)
  }

  #hubOf(record: StreamRecord): Hub {
    return this.#services.get(record.serviceSid) as Hub
  }
}

/** The service's own code shares the stream. While it subscribes, the gateway does not end the stream. */
function closeUnheard(stream: Stream | undefined): void {
  if (stream?.ledger().subscribers === 0) stream.close()
}

function nameKeyOf(record: StreamRecord): string {
  return `${record.serviceSid}/${hubNameOf(record)}`
}

function keyOf({ serviceSid, sid }: StreamRecord): string {
  return `${serviceSid}/${sid}`
}
