import type { KV, KvWatchEntry } from '@nats-io/kv'
import type { NatsConnection } from '@nats-io/transport-node'
import { RivuletError } from 'rivulet'
import { decodeRecord, encodeRecord, keyOf } from './kv-entry.ts'
import { KvMirror } from './kv-mirror.ts'
import { connectNats, type NatsRegistryOptions, openBucket } from './nats-bucket.ts'
import type { RemovalListener, StreamRegistry } from './registry.ts'
import {
  isExpired,
  isStreamSid,
  isUniqueName,
  newRecord,
  type StreamRecord,
  withTtl,
} from './stream-record.ts'

// How long a sid that is not known here may take to come from another gateway.
const LONGEST_CATCH_UP_MS = 1000
const LONGEST_LOAD_MS = 10_000
const MAX_ATTEMPTS = 5
// What JetStream says when a key has another revision than expected.
const WRONG_LAST_SEQUENCE = 10_071

/**
 * Opens a registry that several gateways share, in a key-value bucket of JetStream; needs `@nats-io/kv` and
 * `@nats-io/transport-node`. Rejects `TRANSPORT_UNAVAILABLE` when no server with JetStream can be reached, or one
 * of those packages is missing.
 */
export async function openNatsRegistry(options: NatsRegistryOptions): Promise<StreamRegistry> {
  const connection = await connectNats(options)
  try {
    const registry = new NatsRegistry(connection, await openBucket(connection, options))
    await registry.start()
    return registry
  } catch (cause) {
    await connection.close()
    throw unavailable(cause)
  }
}

class NatsRegistry implements StreamRegistry {
  readonly #connection: NatsConnection
  readonly #bucket: KV
  readonly #listeners = new Set<RemovalListener>()
  readonly #mirror = new KvMirror(
    Date.now,
    (record, reason) => {
      for (const listener of this.#listeners) listener(record, reason)
    },
    // Whichever gateway is first; a record that got more time meanwhile has another revision.
    (key, _record, revision) => void this.#bucket.purge(key, { previousSeq: revision }).catch(() => {}),
  )

  constructor(connection: NatsConnection, bucket: KV) {
    this.#connection = connection
    this.#bucket = bucket
  }

  /** Resolves when everything that the bucket holds now is known here. */
  async start(): Promise<void> {
    const { streamInfo, values } = await this.#bucket.status()
    const watch = await this.#bucket.watch()
    await new Promise<void>((resolve, reject) => {
      // What is not here by then is looked up in the bucket when somebody asks for it.
      const timer = setTimeout(resolve, LONGEST_LOAD_MS)
      const loaded = () => {
        clearTimeout(timer)
        resolve()
      }
      if (values === 0) loaded()
      this.#follow(watch, loaded).catch(reject)
    })
    // The bucket's last message may be one that is not there any more.
    this.#mirror.reached(streamInfo.state.last_seq)
  }

  create(serviceSid: string, uniqueName: string | null, ttlSeconds: number) {
    return this.#asking(async () => {
      const record = newRecord(serviceSid, uniqueName, ttlSeconds, Date.now())
      const key = keyOf(serviceSid, uniqueName, record.sid)
      const revision = (await this.#createKey(key, record)) ?? (await this.#replaceExpired(key, record))
      if (revision === undefined) return undefined
      this.#mirror.put(key, record, revision)
      return record
    })
  }

  find(serviceSid: string, id: string): StreamRecord | undefined | Promise<StreamRecord | undefined> {
    return this.#mirror.find(serviceSid, id) ?? this.#asking(() => this.#findElsewhere(serviceSid, id))
  }

  setTtl(record: StreamRecord, ttlSeconds: number) {
    return this.#changing(record, async (key, current, revision) => {
      const updated = withTtl(current, ttlSeconds, Date.now())
      this.#mirror.put(key, updated, await this.#bucket.update(key, encodeRecord(updated), revision))
      return updated
    })
  }

  async remove(record: StreamRecord) {
    const removed = await this.#changing(record, async (key, current, revision) => {
      await this.#bucket.purge(key, { previousSeq: revision })
      this.#mirror.put(key, undefined, revision)
      return current
    })
    return removed !== undefined
  }

  list(serviceSid: string) {
    return this.#asking(async () => {
      await this.#catchUp()
      return this.#mirror.list(serviceSid)
    })
  }

  onRemoved(listener: RemovalListener): void {
    this.#listeners.add(listener)
  }

  async close() {
    this.#listeners.clear()
    this.#mirror.close()
    await this.#connection.close()
  }

  /** Takes in what the watch brings, until it ends with the connection. */
  async #follow(watch: AsyncIterable<KvWatchEntry>, loaded: () => void): Promise<void> {
    for await (const entry of watch) {
      this.#mirror.watched(entry)
      if (entry.delta === 0) loaded()
    }
  }

  async #createKey(key: string, record: StreamRecord): Promise<number | undefined> {
    try {
      return await this.#bucket.create(key, encodeRecord(record))
    } catch (cause) {
      if (isConflict(cause)) return undefined
      throw cause
    }
  }

  /** A stream whose time is over may still stand in the bucket, when no gateway was there to take it out. */
  async #replaceExpired(key: string, record: StreamRecord): Promise<number | undefined> {
    const entry = await this.#bucket.get(key)
    const held = entry?.operation === 'PUT' ? decodeRecord(entry.string()) : undefined
    if (entry === null || held === undefined || !isExpired(held, Date.now())) return undefined
    try {
      return await this.#bucket.update(key, encodeRecord(record), entry.revision)
    } catch (cause) {
      if (isConflict(cause)) return undefined
      throw cause
    }
  }

  async #findElsewhere(serviceSid: string, id: string): Promise<StreamRecord | undefined> {
    if (isUniqueName(id)) {
      const key = keyOf(serviceSid, id, '')
      const entry = await this.#bucket.get(key)
      const record = entry?.operation === 'PUT' ? decodeRecord(entry.string()) : undefined
      if (entry !== null && record !== undefined) this.#mirror.put(key, record, entry.revision)
    }
    // Which key a sid belongs to, only the watch tells.
    if (isStreamSid(id)) await this.#catchUp()
    return this.#mirror.find(serviceSid, id)
  }

  async #catchUp(): Promise<void> {
    const { streamInfo } = await this.#bucket.status()
    await this.#mirror.until(streamInfo.state.last_seq, LONGEST_CATCH_UP_MS)
  }

  /** Changes what the bucket holds of a stream, unless it is gone. Another gateway may change it meanwhile. */
  #changing(
    { serviceSid, uniqueName, sid }: StreamRecord,
    change: (key: string, current: StreamRecord, revision: number) => Promise<StreamRecord>,
  ): Promise<StreamRecord | undefined> {
    const key = keyOf(serviceSid, uniqueName, sid)
    return this.#asking(async () => {
      for (let attempt = 1; ; attempt++) {
        const entry = await this.#bucket.get(key)
        const current = entry?.operation === 'PUT' ? decodeRecord(entry.string()) : undefined
        const isThere = current !== undefined && current.sid === sid && !isExpired(current, Date.now())
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
