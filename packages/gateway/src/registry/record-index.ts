import { byAge, isExpired, isStreamSid, type StreamRecord } from './stream-record.ts'

// The longest delay that timers take; beyond it they fire at once.
const LONGEST_DELAY_MS = 2 ** 31 - 1

/** Holds records by name and by sid, and tells when one expires. */
export class RecordIndex {
  readonly #bySid = new Map<string, StreamRecord>()
  readonly #byName = new Map<string, StreamRecord>()
  readonly #timers = new Map<string, ReturnType<typeof setTimeout>>()
  readonly #nowMs: () => number
  readonly #expire: (record: StreamRecord) => void

  /** `expire` is called once for each record whose time is over, after it has left the index. */
  constructor(nowMs: () => number, expire: (record: StreamRecord) => void) {
    this.#nowMs = nowMs
    this.#expire = expire
  }

  /** Finds a record by its unique name, then by its sid. */
  find(serviceSid: string, id: string): StreamRecord | undefined {
    const record = this.#byName.get(nameKey(serviceSid, id)) ?? this.#sidOf(serviceSid, id)
    return record === undefined || isExpired(record, this.#nowMs()) ? undefined : record
  }

  /** Adds a record, or replaces the one of its sid. Another one that has its name is over, and expires now. */
  put(record: StreamRecord): void {
    const { serviceSid, uniqueName, sid } = record
    const namesake = uniqueName === null ? undefined : this.#byName.get(nameKey(serviceSid, uniqueName))
    if (namesake !== undefined && namesake.sid !== sid && this.delete(namesake)) this.#expire(namesake)
    this.#bySid.set(sidKey(record.serviceSid, record.sid), record)
    if (record.uniqueName !== null) this.#byName.set(nameKey(record.serviceSid, record.uniqueName), record)
    this.#schedule(record)
  }

  /** Takes a record out; tells whether it was there. */
  delete(record: StreamRecord): boolean {
    const name = record.uniqueName === null ? undefined : nameKey(record.serviceSid, record.uniqueName)
    if (name !== undefined && this.#byName.get(name)?.sid === record.sid) this.#byName.delete(name)
    clearTimeout(this.#timers.get(record.sid))
    this.#timers.delete(record.sid)
    return this.#bySid.delete(sidKey(record.serviceSid, record.sid))
  }

  /** Lists a service's records, oldest first. */
  list(serviceSid: string): StreamRecord[] {
    const nowMs = this.#nowMs()
    return [...this.#bySid.values()]
      .filter((record) => record.serviceSid === serviceSid && !isExpired(record, nowMs))
      .sort(byAge)
  }

  /** Stops the timers. */
  close(): void {
    for (const timer of this.#timers.values()) clearTimeout(timer)
    this.#timers.clear()
  }

  #sidOf(serviceSid: string, id: string): StreamRecord | undefined {
    return isStreamSid(id) ? this.#bySid.get(sidKey(serviceSid, id)) : undefined
  }

  #schedule(record: StreamRecord): void {
    clearTimeout(this.#timers.get(record.sid))
    this.#timers.delete(record.sid)
    if (record.expiresMs === null) return
    const delayMs = Math.min(Math.max(record.expiresMs - this.#nowMs(), 0), LONGEST_DELAY_MS)
    const timer = setTimeout(() => this.#fire(record), delayMs)
    // A stream that will expire keeps no process alive. Only Node's timers have the method.
    ;(timer as { unref?(): void }).unref?.()
    this.#timers.set(record.sid, timer)
  }

  #fire(record: StreamRecord): void {
    if (!isExpired(record, this.#nowMs())) this.#schedule(record)
    else if (this.delete(record)) this.#expire(record)
  }
}

function nameKey(serviceSid: string, name: string): string {
  return `${serviceSid}/${name}`
}

function sidKey(serviceSid: string, sid: string): string {
  return `${serviceSid}/${sid.slice(0, 2)}${sid.slice(2).toLowerCase()}`
}
