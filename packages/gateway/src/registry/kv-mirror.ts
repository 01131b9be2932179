import type { KvWatchEntry } from '@nats-io/kv'
import { decodeRecord } from './kv-entry.ts'
import { RecordIndex } from './record-index.ts'
import type { RemovalListener } from './registry.ts'
import { isExpired, type StreamRecord } from './stream-record.ts'

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
  readonly #keys = new Map<string, string>()
  readonly #index: RecordIndex
  readonly #tell: RemovalListener
  readonly #expired: (key: string, record: StreamRecord, revision: number) => void
  #revision = 0
  readonly #waiting = new Set<() => void>()

  /** `expired` is called for a key whose record's time is over; `tell` for every record that left. */
  constructor(
    nowMs: () => number,
    tell: RemovalListener,
    expired: (key: string, record: StreamRecord, revision: number) => void,
  ) {
    this.#nowMs = nowMs
    this.#tell = tell
    this.#expired = expired
    this.#index = new RecordIndex(nowMs, (record) => this.#expire(record))
  }

  find(serviceSid: string, id: string): StreamRecord | undefined {
    return this.#index.find(serviceSid, id)
  }

  list(serviceSid: string): StreamRecord[] {
    return this.#index.list(serviceSid)
  }

  /** Takes what the watch brings. */
  watched(entry: KvWatchEntry): void {
    const record = entry.operation === 'PUT' ? decodeRecord(entry.string()) : undefined
    this.put(entry.key, record, entry.revision)
    if (record === undefined && (this.#known.get(entry.key)?.revision ?? 0) <= entry.revision) {
      this.#known.delete(entry.key)
    }
    this.reached(entry.revision)
  }

  /** Says that the watch has brought everything up to a revision. */
  reached(revision: number): void {
    this.#revision = Math.max(this.#revision, revision)
    for (const check of this.#waiting) check()
  }

  /** Puts in what a key holds since a revision; `undefined` when that, and what was before, is gone. */
  put(key: string, record: StreamRecord | undefined, revision: number): void {
    const before = this.#known.get(key)
    const isKnown = record !== undefined && before?.revision === revision
    if (before !== undefined && (isKnown || before.revision > revision)) return
    this.#known.set(key, { revision, record })
    const left = before?.record
    if (left !== undefined && left.sid !== record?.sid && this.#index.delete(left)) {
      this.#keys.delete(left.sid)
      this.#tell(left, isExpired(left, this.#nowMs()) ? 'expired' : 'removed')
    }
    if (record === undefined) return
    this.#keys.set(record.sid, key)
    this.#index.put(record)
  }

  /** Resolves when the watch has brought everything up to a revision, or after `limitMs`. */
  until(revision: number, limitMs: number): Promise<void> {
    if (this.#revision >= revision) return Promise.resolve()
    return new Promise((resolve) => {
      const finish = () => {
        clearTimeout(timer)
        this.#waiting.delete(check)
        resolve()
      }
      const check = () => {
        if (this.#revision >= revision) finish()
      }
      const timer = setTimeout(finish, limitMs)
      this.#waiting.add(check)
    })
  }

  close(): void {
    this.#index.close()
  }

  #expire(record: StreamRecord): void {
    const key = this.#keys.get(record.sid)
    this.#keys.delete(record.sid)
    this.#tell(record, 'expired')
    const known = key === undefined ? undefined : this.#known.get(key)
    if (key !== undefined && known !== undefined) this.#expired(key, record, known.revision)
  }
}
