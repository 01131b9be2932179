import { unref } from '@rivulet/gateway/protocol'
import { runOutside } from 'rivulet/adapter'
import type { PageQuery, RecordPage } from './registry.ts'
import { type Age, byAge, isExpired, isStreamSid, type StreamRecord } from './stream-record.ts'

// The longest delay that timers take; beyond it they fire at once.
const LONGEST_DELAY_MS = 2 ** 31 - 1

/** The records of one service. */
interface ServiceRecords {
  readonly bySid: Map<string, StreamRecord>
  readonly byName: Map<string, StreamRecord>
  /** Oldest first. */
  readonly byAge: StreamRecord[]
}

/** Indexes records by name, by sid and by age, and reports those that expire. */
export class RecordIndex {
  readonly #services = new Map<string, ServiceRecords>()
  readonly #timers = new Map<StreamRecord, ReturnType<typeof setTimeout>>()
  readonly #nowMs: () => number
  readonly #expire: (record: StreamRecord) => void

  /** `expire` is called once for each expired record, after it has left the index. */
  constructor(nowMs: () => number, expire: (record: StreamRecord) => void) {
    this.#nowMs = nowMs
    this.#expire = expire
  }

  /** Finds a record by its unique name, then by its sid. */
  find(serviceSid: string, id: string): StreamRecord | undefined {
    const record = this.#services.get(serviceSid)?.byName.get(id) ?? this.ofSid(serviceSid, id)
    return record === undefined || isExpired(record, this.#nowMs()) ? undefined : record
  }

  /** Returns the record of a sid, even if it has expired. */
  ofSid(serviceSid: string, sid: string): StreamRecord | undefined {
    // Sids are found in either case; the gateway makes them in lower case.
    return isStreamSid(sid)
      ? this.#services.get(serviceSid)?.bySid.get(`TO${sid.slice(2).toLowerCase()}`)
      : undefined
  }

  /** Adds a record, or replaces the one of its sid. Another one with its name expires now. */
  put(record: StreamRecord): void {
    const { serviceSid, uniqueName, sid } = record
    const namesake = uniqueName === null ? undefined : this.#services.get(serviceSid)?.byName.get(uniqueName)
    if (namesake !== undefined && namesake.sid !== sid && this.delete(namesake)) this.#expire(namesake)
    this.delete(record)
    const records = this.#services.get(serviceSid) ?? { bySid: new Map(), byName: new Map(), byAge: [] }
    this.#services.set(serviceSid, records)
    records.bySid.set(sid, record)
    if (uniqueName !== null) records.byName.set(uniqueName, record)
    insert(records.byAge, record)
    this.#schedule(record)
  }

  /** Removes the record of a sid; returns whether it was there. */
  delete({ serviceSid, sid }: StreamRecord): boolean {
    const records = this.#services.get(serviceSid)
    const record = records?.bySid.get(sid)
    if (records === undefined || record === undefined) return false
    records.bySid.delete(sid)
    if (record.uniqueName !== null) records.byName.delete(record.uniqueName)
    // Moves the younger records: a few microseconds among 20 000, so no tree.
    records.byAge.splice(placeOf(records.byAge, record), 1)
    if (records.bySid.size === 0) this.#services.delete(serviceSid)
    clearTimeout(this.#timers.get(record))
    this.#timers.delete(record)
    return true
  }

  /** Returns a page of a service's records. */
  page(serviceSid: string, { size, from, accepts }: PageQuery): RecordPage {
    const order = this.#services.get(serviceSid)?.byAge ?? []
    const nowMs = this.#nowMs()
    const counts = (record: StreamRecord) => !isExpired(record, nowMs) && accepts(record)
    const start = from === undefined ? 0 : startOf(order, from, size, counts)
    const records: StreamRecord[] = []
    let end = start
    for (; end < order.length && records.length < size; end++) {
      const record = order[end] as StreamRecord
      if (counts(record)) records.push(record)
    }
    return {
      records,
      hasOlder: start > 0 && previousOf(order, start, counts) !== -1,
      hasYounger: order.length > end && nextOf(order, end, counts) !== -1,
    }
  }

  /** Counts a service's records. */
  count(serviceSid: string): number {
    return this.#services.get(serviceSid)?.byAge.length ?? 0
  }

  /** Stops the timers. */
  close(): void {
    for (const timer of this.#timers.values()) clearTimeout(timer)
    this.#timers.clear()
  }

  #schedule(record: StreamRecord): void {
    if (record.expiresMs === null) return
    const delayMs = Math.min(Math.max(record.expiresMs - this.#nowMs(), 0), LONGEST_DELAY_MS)
    const timer = runOutside(() => setTimeout(() => this.#fire(record), delayMs))
    // A stream that will expire keeps no process alive.
    unref(timer)
    this.#timers.set(record, timer)
  }

  #fire(record: StreamRecord): void {
    if (!isExpired(record, this.#nowMs())) this.#schedule(record)
    else if (this.delete(record)) this.#expire(record)
  }
}

type Counts = (record: StreamRecord) => boolean

function insert(order: StreamRecord[], record: StreamRecord): void {
  const youngest = order.at(-1)
  if (youngest === undefined || byAge(youngest, record) < 0) order.push(record)
  else order.splice(placeOf(order, record), 0, record)
}

/** Returns the index of the first record that is not older. */
function placeOf(order: readonly StreamRecord[], age: Age): number {
  let low = 0
  let high = order.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (byAge(order[middle] as StreamRecord, age) < 0) low = middle + 1
    else high = middle
  }
  return low
}

function startOf(order: readonly StreamRecord[], edge: Age & { side: string }, size: number, counts: Counts) {
  let start = placeOf(order, edge)
  if (edge.side === 'after') return order[start]?.sid === edge.sid ? start + 1 : start
  for (let found = 0; found < size && start !== -1; found++) start = previousOf(order, start, counts)
  return Math.max(start, 0)
}

function previousOf(order: readonly StreamRecord[], before: number, counts: Counts): number {
  let index = before - 1
  while (index >= 0 && !counts(order[index] as StreamRecord)) index--
  return index
}

function nextOf(order: readonly StreamRecord[], from: number, counts: Counts): number {
  let index = from
  while (index < order.length && !counts(order[index] as StreamRecord)) index++
  return index < order.length ? index : -1
}
