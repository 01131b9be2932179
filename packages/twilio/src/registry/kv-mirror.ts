import type { KvWatchEntry } from '@nats-io/kv'
import { keyOf, recordOf } from './nats-bucket.ts'
import { RecordIndex } from './record-index.ts'
import type { PageQuery, RecordPage, RemovalListener } from './registry.ts'
import { isExpired, isSidOfName, type StreamRecord } from './stream-record.ts'

/** What the bucket holds under a key. */
interface Known {
  readonly revision: number
  /** Absent where the key was deleted here, until the watch says so too. */
  readonly record: StreamRecord | undefined
}

/**
 * This process's copy of the bucket, so that publishing asks nobody. The watch keeps it current; what this process
 * writes is put in at once. Of two values of a key the one with the higher revision counts, in whichever order.
 */
export class KvMirror {
  readonly #nowMs: () => number
  readonly #known = new Map<string, Known>()
  readonly #index: RecordIndex
  readonly #tell: RemovalListener
  readonly #expired: (key: string, revision: number) => void
  /** Up to here the running watch has brought everything. */
  #revision = 0
  /** The keys that a load has brought so far, while one goes on. */
  #loaded: Set<string> | undefined
  readonly #waiting = new Set<() => void>()

  /** `expired` is called for a key whose record's time is over; `tell` for every record that left. */
  constructor(nowMs: () => number, tell: RemovalListener, expired: (key: string, revision: number) => void) {
    this.#nowMs = nowMs
    this.#tell = tell
    this.#expired = expired
    this.#index = new RecordIndex(nowMs, (record) => this.#expire(record))
  }

  /** Up to which revision the running watch has brought everything. */
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

  /** A watch begins to bring the whole bucket. Revisions of another bucket than before tell nothing about this one's. */
  beginLoad(isOtherBucket: boolean): void {
    this.#loaded = new Set()
    this.#revision = 0
    if (!isOtherBucket) return
    for (const [key, { record }] of this.#known) this.#known.set(key, { revision: 0, record })
  }

  /** The watch has brought the bucket as of a revision: what it did not bring was deleted without a trace. */
  endLoad(revision: number): void {
    const loaded = this.#loaded
    this.#loaded = undefined
    for (const [key, known] of this.#known) {
      if (known.revision <= revision && !loaded?.has(key)) this.#forget(key, revision)
    }
    this.#reached(revision)
  }

  /** The bucket holds nothing older than a revision any more. */
  begins(revision: number): void {
    for (const [key, known] of this.#known) if (known.revision < revision) this.#forget(key, revision)
  }

  /** Takes what the watch brings. */
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
   * Puts in what a key was seen to hold since a revision; `undefined` when that, and what was before, is gone. Tells
   * whether it took that: the watch may have brought the end of the key before.
   */
  put(key: string, record: StreamRecord | undefined, revision: number): boolean {
    if (!this.#known.has(key)) {
      if (record === undefined) return true
      if (revision <= this.#revision) return false
    }
    this.#put(key, record, revision)
    return true
  }

  /** Resolves when the watch has brought everything up to a revision, to false if not within `limitMs`. */
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
   * A sid belongs to the first key that has it, since nobody can guess one before its stream is there. While a load brings
   * both keys, in whichever order, the sid itself tells. So nobody takes another's stream.
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
    this.#tell(record, isExpired(record, this.#nowMs()) ? 'expired' : 'removed')
  }

  #reached(revision: number): void {
    this.#revision = Math.max(this.#revision, revision)
    for (const check of this.#waiting) check()
  }

  #expire(record: StreamRecord): void {
    const key = keyOf(record)
    const known = this.#known.get(key)
    this.#tell(record, 'expired')
    if (known !== undefined) this.#expired(key, known.revision)
  }
}
