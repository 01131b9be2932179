import { checkOptions, type Form } from '@rivulet/gateway/protocol'
import { RecordIndex } from './record-index.ts'
import type { PageQuery, RemovalListener, RemovalReason, StreamRegistry } from './registry.ts'
import { newRecord, type StreamRecord, withTtl } from './stream-record.ts'

const CLOCK: Form = { fits: (value) => typeof value === 'function', what: 'a function' }

/**
 * Makes a registry in this process's memory: for one gateway. Its streams are gone when the process ends.
 * `nowMs` is a wall clock, for tests. Throws `INVALID_OPTIONS`.
 */
export function memoryRegistry(
  options: { readonly nowMs?: (() => number) | undefined } = {},
): StreamRegistry {
  checkOptions(options, { nowMs: CLOCK })
  const { nowMs = Date.now } = options
  return new MemoryRegistry(() => nowMs())
}

class MemoryRegistry implements StreamRegistry {
  readonly status = 'up'
  readonly #nowMs: () => number
  readonly #listeners = new Set<RemovalListener>()
  readonly #index: RecordIndex
  #epoch: string | undefined

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs
    this.#index = new RecordIndex(nowMs, (record) => this.#notify(record, 'expired'))
  }

  get epoch(): string {
    // Not in the constructor: a worker can't draw random values while its module is loaded.
    this.#epoch ??= crypto.randomUUID()
    return this.#epoch
  }

  async create(serviceSid: string, uniqueName: string | null, ttlSeconds: number, createdBy: string) {
    if (uniqueName !== null && this.#index.find(serviceSid, uniqueName)?.uniqueName === uniqueName) {
      return undefined
    }
    const record = newRecord(serviceSid, uniqueName, ttlSeconds, createdBy, this.#nowMs())
    this.#index.put(record)
    return record
  }

  find(serviceSid: string, id: string): StreamRecord | undefined {
    return this.#index.find(serviceSid, id)
  }

  async setTtl(record: StreamRecord, ttlSeconds: number) {
    const current = this.#index.find(record.serviceSid, record.sid)
    if (current === undefined) return undefined
    const updated = withTtl(current, ttlSeconds, this.#nowMs())
    this.#index.put(updated)
    return updated
  }

  async remove(record: StreamRecord) {
    const isRemoved = this.#index.delete(record)
    if (isRemoved) this.#notify(record, 'removed')
    return isRemoved
  }

  async page(serviceSid: string, query: PageQuery) {
    return this.#index.page(serviceSid, query)
  }

  count(serviceSid: string): number {
    return this.#index.count(serviceSid)
  }

  onRemoved(listener: RemovalListener): void {
    this.#listeners.add(listener)
  }

  async close() {
    this.#index.close()
    this.#listeners.clear()
  }

  #notify(record: StreamRecord, reason: RemovalReason): void {
    for (const listener of this.#listeners) listener(record, reason)
  }
}
