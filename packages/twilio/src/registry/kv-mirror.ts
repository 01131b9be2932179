import type { KvWatchEntry } from '@nats-io/kv'
import { keyOf, recordOf } from './nats-bucket.ts'
import { RecordIndex } from './record-index.ts'
import type { PageQuery, RecordPage, RemovalListener } from './registry.ts'
import { isExpired, isSidOfName, type StreamRecord } from './stream-record.ts'

/** The last known value of a key in the bucket. */
interface Known {
  readonly revision: number
  /** `undefined` for a deletion here that the watch has not reported yet, or when its sid belongs to another key. */
  readonly record: StreamRecord | undefined
}

/**
 * This process's copy of the bucket, so that publishing needs no request. The watch keeps it current; this process's
 * own writes are put in at once. Of two values of a key the one with the higher revision counts, in either order.
 */
export class KvMirror {
  readonly #nowMs: () => number
  readonly #known = new Map<string, Known>()
  readonly #index: RecordIndex
  readonly #notify: RemovalListener
  readonly #expired: (key: string, revision: number) => void
  #revision = 0
  /** The keys that the running load has delivered so far. */
  #loaded: Set<string> | undefined
  readonly #waiting = new Set<() => void>()

  /** `expired` is called for the key of each expired record; `notify` for every record that left. */
  constructor(
    nowMs: () => number,
    notify: RemovalListener,
    expired: (key: string, revision: number) => void,
  ) {
    this.#nowMs = nowMs
    this.#notify = notify
    this.#expired = expired
    this.#index = new RecordIndex(nowMs, (record) => this.#expire(record))
  }

  /** The revision up to which the running watch has delivered everything. */
  get revision(): number {
    return this.#revision
  }

  find(serviceSid: string, id: string): StreamRecord | undefined {
    return this.#index.find(serviceSid, id)
  }

  page(serviceSid: string, query: PageQuery): RecordPage {
    return this.#index.page(serviceSid, query)
  }

  count(serviceSid: string): number {
    return this.#index.count(serviceSid)
  }

  /** Begins a load of the whole bucket by a watch. Revisions of the bucket before say nothing about another one's. */
  beginLoad(isOtherBucket: boolean): void {
    this.#loaded = new Set()
    this.#revision = 0
    if (!isOtherBucket) return
    for (const [key, { record }] of this.#known) this.#known.set(key, { revision: 0, record })
  }

  /** Ends a load of the bucket as of a revision: keys that it did not deliver were deleted without a marker. */
  endLoad(revision: number): void {
    const loaded = this.#loaded
    this.#loaded = undefined
    for (const [key, known] of this.#known) {
      if (known.revision <= revision && !loaded?.has(key)) this.#forget(key, revision)
    }
    this.#reached(revision)
  }

  /** Forgets the keys older than a revision, which the bucket no longer holds. */
  begins(revision: number): void {
    for (const [key, known] of this.#known) if (known.revision < revision) this.#forget(key, revision)
  }

  /** Applies an entry that the watch delivers. */
  watched(entry: KvWatchEntry): void {
    const { key, revision } = entry
    this.#loaded?.add(key)
    try {
      const record = recordOf(entry)
      if (record === undefined) this.#forget(key, revision)
      else this.#put(key, record, revision)
    } finally {
      this.#reached(revision)
    }
  }

  /**
   * Puts in the value that a key has had since a revision; `undefined` when its values up to that revision are deleted.
   * Returns whether it was put in: the watch may have reported the key's deletion before.
   */
  put(key: string, record: StreamRecord | undefined, revision: number): boolean {
    if (!this.#known.has(key)) {
      if (record === undefined) return true
      if (revision <= this.#revision) return false
    }
    this.#put(key, record, revision)
    return true
  }

  /** Resolves when the watch has delivered everything up to a revision, to `false` if not within `limitMs`. */
  until(revision: number, limitMs: number): Promise<boolean> {
    if (this.#revision >= revision) return Promise.resolve(true)
    return new Promise((resolve) => {
      const finish = (isReached: boolean) => {
        clearTimeout(timer)
        this.#waiting.delete(check)
        resolve(isReached)
      }
      const check = () => {
        if (this.#revision >= revision) finish(true)
      }
      const timer = setTimeout(finish, limitMs, false)
      this.#waiting.add(check)
    })
  }

  close(): void {
    this.#index.close()
  }

  #put(key: string, record: StreamRecord | undefined, revision: number): void {
    const before = this.#known.get(key)
    const isKnown = record !== undefined && before?.revision === revision
    if (before !== undefined && (isKnown || before.revision > revision)) return
    const accepted = record !== undefined && this.#isOwnSid(record, key) ? record : undefined
    this.#known.set(key, { revision, record: accepted })
    const left = before?.record
    if (left !== undefined && left.sid !== accepted?.sid) this.#leave(left)
    if (accepted !== undefined) this.#index.put(accepted)
  }

  #forget(key: string, revision: number): void {
    this.#put(key, undefined, revision)
    if ((this.#known.get(key)?.revision ?? 0) <= revision) this.#known.delete(key)
  }

  /**
   * Returns whether a record's sid belongs to its key, so that no forged record takes over a stream. The first key with a
   * sid owns it, since a sid can't be guessed before its stream exists. While a load delivers both keys, in either order,
   * the kind of stream that the sid was made for decides.
   */
  #isOwnSid({ serviceSid, uniqueName, sid }: StreamRecord, key: string): boolean {
    const holder = this.#index.ofSid(serviceSid, sid)
    if (holder === undefined || keyOf(holder) === key) return true
    const isNamed = uniqueName !== null
    const isOfOneKind = isNamed === (holder.uniqueName !== null)
    if (this.#loaded === undefined || isOfOneKind || isNamed !== isSidOfName(sid)) return false
    this.#put(keyOf(holder), undefined, this.#known.get(keyOf(holder))?.revision ?? 0)
    return true
  }

  #leave(record: StreamRecord): void {
    if (!this.#index.delete(record)) return
    this.#notify(record, isExpired(record, this.#nowMs()) ? 'expired' : 'removed')
  }

  #reached(revision: number): void {
    this.#revision = Math.max(this.#revision, revision)
    for (const check of this.#waiting) check()
  }

  #expire(record: StreamRecord): void {
    const key = keyOf(record)
    const known = this.#known.get(key)
    this.#notify(record, 'expired')
    if (known !== undefined) this.#expired(key, known.revision)
  }
}
