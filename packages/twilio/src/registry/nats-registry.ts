import type { KV } from '@nats-io/kv'
import type { NatsConnection } from '@nats-io/transport-node'
import { RivuletError } from 'rivulet'
import { runOutside } from 'rivulet/adapter'
import { KvMirror } from './kv-mirror.ts'
import { connectNats, keyOf, type NatsRegistryOptions, openBucket, recordOf } from './nats-bucket.ts'
import { NatsWatch } from './nats-watch.ts'
import type { PageQuery, RemovalListener, RemovalReason, StreamRegistry } from './registry.ts'
import {
  isExpired,
  isStreamSid,
  isUniqueName,
  newRecord,
  type StreamRecord,
  withTtl,
} from './stream-record.ts'

// The time that a sid not known here may take to arrive from another gateway.
const LONGEST_CATCH_UP_MS = 1000
const MAX_ATTEMPTS = 5
// JetStream's error code for a key that has another revision than expected.
const WRONG_LAST_SEQUENCE = 10_071

/**
 * Opens a registry that several gateways share, in a key-value bucket of JetStream; needs `@nats-io/kv` and
 * `@nats-io/transport-node`. Rejects `INVALID_OPTIONS`, and `TRANSPORT_UNAVAILABLE` when no server with JetStream can be
 * reached, or one of those packages is missing.
 */
export async function openNatsRegistry(options: NatsRegistryOptions): Promise<StreamRegistry> {
  const connection = await connectNats(options)
  try {
    const open = () => openBucket(connection, options)
    const registry = new NatsRegistry(connection, await open(), open)
    await registry.start()
    return registry
  } catch (cause) {
    await connection.close()
    throw unavailable(cause)
  }
}

class NatsRegistry implements StreamRegistry {
  readonly #connection: NatsConnection
  /** Refers to the bucket by name, so it stays valid when the bucket is created again. */
  readonly #bucket: KV
  readonly #listeners = new Set<RemovalListener>()
  readonly #mirror = new KvMirror(
    Date.now,
    (record, reason) => this.#notify(record, reason),
    // Each gateway tries it, and the first succeeds; a record that got more time meanwhile has another revision.
    (key, revision) => void this.#bucket.purge(key, { previousSeq: revision }).catch(() => {}),
  )
  readonly #watch: NatsWatch
  #runningCatchUp = Promise.resolve()
  #nextCatchUp: Promise<void> | undefined

  constructor(connection: NatsConnection, bucket: KV, open: () => Promise<KV>) {
    this.#connection = connection
    this.#bucket = bucket
    this.#watch = new NatsWatch(connection, open, this.#mirror)
  }

  get epoch(): string {
    return this.#watch.epoch
  }

  get status(): 'up' | 'down' {
    return this.#watch.status
  }

  /** Resolves when everything that the bucket holds now is known here. */
  start(): Promise<void> {
    return this.#watch.start()
  }

  create(serviceSid: string, uniqueName: string | null, ttlSeconds: number, createdBy: string) {
    return this.#asking(async () => {
      const record = newRecord(serviceSid, uniqueName, ttlSeconds, createdBy, Date.now())
      const key = keyOf(record)
      const revision = (await this.#createKey(key, record)) ?? (await this.#replaceUnusable(key, record))
      if (revision === undefined) return undefined
      this.#put(key, record, revision)
      return record
    })
  }

  find(serviceSid: string, id: string): StreamRecord | undefined | Promise<StreamRecord | undefined> {
    return this.#mirror.find(serviceSid, id) ?? this.#asking(() => this.#findElsewhere(serviceSid, id))
  }

  setTtl(record: StreamRecord, ttlSeconds: number) {
    return this.#changing(record, async (key, current, revision) => {
      const updated = withTtl(current, ttlSeconds, Date.now())
      this.#put(key, updated, await this.#bucket.update(key, JSON.stringify(updated), revision))
      return updated
    })
  }

  async remove(record: StreamRecord) {
    const removed = await this.#changing(record, async (key, current, revision) => {
      await this.#bucket.purge(key, { previousSeq: revision })
      this.#put(key, undefined, revision)
      return current
    })
    return removed !== undefined
  }

  page(serviceSid: string, query: PageQuery) {
    return this.#asking(async () => {
      await this.#catchUp()
      return this.#mirror.page(serviceSid, query)
    })
  }

  count(serviceSid: string): number {
    return this.#mirror.count(serviceSid)
  }

  onRemoved(listener: RemovalListener): void {
    this.#listeners.add(listener)
  }

  async close() {
    this.#listeners.clear()
    this.#watch.close()
    this.#mirror.close()
    await this.#connection.close()
  }

  /** Notifies all listeners, even when one throws. */
  #notify(record: StreamRecord, reason: RemovalReason): void {
    for (const listener of this.#listeners) {
      try {
        listener(record, reason)
      } catch {
        // Nothing receives the error of a listener.
      }
    }
  }

  #put(key: string, record: StreamRecord | undefined, revision: number): void {
    // Either the key was deleted meanwhile, or the bucket is another one than the watch knows.
    if (!this.#mirror.put(key, record, revision)) this.#watch.check()
  }

  async #createKey(key: string, record: StreamRecord): Promise<number | undefined> {
    try {
      return await this.#bucket.create(key, JSON.stringify(record))
    } catch (cause) {
      if (isConflict(cause)) return undefined
      throw cause
    }
  }

  /** Replaces a stream that expired while no gateway ran, or a value that is no stream; both keep a name in use. */
  async #replaceUnusable(key: string, record: StreamRecord): Promise<number | undefined> {
    const entry = await this.#bucket.get(key)
    const held = recordOf(entry)
    if (entry === null || (held !== undefined && !isExpired(held, Date.now()))) return undefined
    try {
      return await this.#bucket.update(key, JSON.stringify(record), entry.revision)
    } catch (cause) {
      if (isConflict(cause)) return undefined
      throw cause
    }
  }

  async #findElsewhere(serviceSid: string, id: string): Promise<StreamRecord | undefined> {
    if (isUniqueName(id)) {
      const key = keyOf({ serviceSid, uniqueName: id, sid: '' })
      const entry = await this.#bucket.get(key)
      const record = recordOf(entry)
      if (entry !== null && record !== undefined) this.#put(key, record, entry.revision)
    }
    // Only the watch shows which key a sid belongs to.
    if (isStreamSid(id)) await this.#catchUp()
    return this.#mirror.find(serviceSid, id)
  }

  /**
   * Waits until the bucket's present content is known here. All calls during a running request share the next one: the
   * running one may miss the latest writes.
   */
  #catchUp(): Promise<void> {
    if (this.#nextCatchUp !== undefined) return this.#nextCatchUp
    const next = runOutside(() => this.#runningCatchUp.then(() => this.#startCatchUp()))
    this.#nextCatchUp = next
    return next
  }

  #startCatchUp(): Promise<void> {
    this.#nextCatchUp = undefined
    const running = this.#askForRevision()
    this.#runningCatchUp = running.catch(() => {})
    return running
  }

  async #askForRevision(): Promise<void> {
    const { streamInfo } = await this.#bucket.status()
    const isCurrent = await this.#mirror.until(streamInfo.state.last_seq, LONGEST_CATCH_UP_MS)
    if (!isCurrent) this.#watch.check()
  }

  /** Changes a stream in the bucket, unless it is gone. Tries again when another gateway changes it meanwhile. */
  #changing(
    record: StreamRecord,
    change: (key: string, current: StreamRecord, revision: number) => Promise<StreamRecord>,
  ): Promise<StreamRecord | undefined> {
    const key = keyOf(record)
    return this.#asking(async () => {
      for (let attempt = 1; ; attempt++) {
        const entry = await this.#bucket.get(key)
        const current = recordOf(entry)
        const isThere = current?.sid === record.sid && !isExpired(current, Date.now())
        if (entry === null || !isThere) return undefined
        try {
          return await change(key, current, entry.revision)
        } catch (cause) {
          if (!isConflict(cause) || attempt === MAX_ATTEMPTS) throw cause
        }
      }
    })
  }

  async #asking<Result>(ask: () => Promise<Result>): Promise<Result> {
    try {
      return await ask()
    } catch (cause) {
      // The bucket may be gone.
      this.#watch.check()
      throw unavailable(cause)
    }
  }
}

function isConflict(cause: unknown): boolean {
  return (cause as { code?: unknown } | null)?.code === WRONG_LAST_SEQUENCE
}

function unavailable(cause: unknown): RivuletError {
  if (RivuletError.is(cause)) return cause
  const advice = 'check that the NATS server runs with JetStream (-js) and can be reached.'
  return new RivuletError('TRANSPORT_UNAVAILABLE', `The registry does not answer; ${advice}`, { cause })
}
