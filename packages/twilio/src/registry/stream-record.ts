/** The registry's record of one stream. Frozen. Times are milliseconds since 1970. */
export interface StreamRecord {
  /** `TO` and 32 hex digits. */
  readonly sid: string
  /** The service it belongs to: `IS` and 32 hex digits. */
  readonly serviceSid: string
  /** The name it was created with, or `null`. */
  readonly uniqueName: string | null
  /** The time of its creation. */
  readonly createdMs: number
  /** The time at which its time to live was last set. */
  readonly updatedMs: number
  /** The time at which it expires, or `null` for never. */
  readonly expiresMs: number | null
  /** The identity of the access token that it was created with, or `system` for a key. */
  readonly createdBy: string
}

/** A stream's place in the order of age. */
export type Age = Pick<StreamRecord, 'createdMs' | 'sid'>

// Twilio keeps this form for its own identifiers, and the core refuses it as a stream's name.
const SID_FORM = /^[A-Z]{2}[a-f0-9]{32}$/
const STREAM_SID = /^TO[0-9a-fA-F]{32}$/
// As the gateway makes them. With a second spelling of a sid, two streams could have it.
const OWN_STREAM_SID = /^TO[0-9a-f]{32}$/
const SERVICE_SID = /^IS[0-9a-fA-F]{32}$/
const ANONYMOUS_NAME = /^anonymous\/[0-9a-f]{32}$/
const LONE_SURROGATE = /\p{Surrogate}/u
const MAX_NAME_LENGTH = 320
const MAX_CREATOR_LENGTH = 256
// The last millisecond that a Date can show (ECMA-262, 21.4.1.1).
const LAST_MS = 8.64e15

/** Makes the record of a new stream. `ttlSeconds` 0 is never. */
export function newRecord(
  serviceSid: string,
  uniqueName: string | null,
  ttlSeconds: number,
  createdBy: string,
  nowMs: number,
): StreamRecord {
  return Object.freeze({
    sid: newSid(uniqueName !== null),
    serviceSid,
    uniqueName,
    createdMs: nowMs,
    updatedMs: nowMs,
    expiresMs: expiryOf(ttlSeconds, nowMs),
    createdBy,
  })
}

/**
 * Reads a stored record of unknown origin; `undefined` for one that no gateway would write. Records of the
 * first edition have no `createdBy`: keys created them all.
 */
export function readRecord(value: unknown): StreamRecord | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const { sid, serviceSid, uniqueName, createdMs, updatedMs, expiresMs, createdBy } = {
    createdBy: 'system',
    ...value,
  } as Record<keyof StreamRecord, unknown>
  // A pattern would take an array of one text for that text.
  if (typeof sid !== 'string' || !OWN_STREAM_SID.test(sid)) return undefined
  if (typeof serviceSid !== 'string' || !SERVICE_SID.test(serviceSid)) return undefined
  if (uniqueName !== null && (typeof uniqueName !== 'string' || !isUniqueName(uniqueName))) return undefined
  if (!isTime(createdMs) || !isTime(updatedMs)) return undefined
  if (expiresMs !== null && !isTime(expiresMs)) return undefined
  if (typeof createdBy !== 'string' || createdBy === '' || createdBy.length > MAX_CREATOR_LENGTH)
    return undefined
  return Object.freeze({ sid, serviceSid, uniqueName, createdMs, updatedMs, expiresMs, createdBy })
}

/** Returns the record with its time to live restarted from now. */
export function withTtl(record: StreamRecord, ttlSeconds: number, nowMs: number): StreamRecord {
  return Object.freeze({ ...record, updatedMs: nowMs, expiresMs: expiryOf(ttlSeconds, nowMs) })
}

/** Returns whether a stream has expired. */
export function isExpired(record: StreamRecord, nowMs: number): boolean {
  return record.expiresMs !== null && record.expiresMs <= nowMs
}

/** Returns the name of a record's stream in its hub: the unique name verbatim, or `anonymous/<hex>`. */
export function hubNameOf(record: StreamRecord): string {
  return record.uniqueName ?? `anonymous/${record.sid.slice(2).toLowerCase()}`
}

/** Returns whether a stream may have a name. The names of anonymous streams are reserved for them. */
export function isUniqueName(name: string): boolean {
  if (name.length < 1 || name.length > MAX_NAME_LENGTH) return false
  // A sid is found in either case.
  if (isStreamSid(name)) return false
  return !SID_FORM.test(name) && !ANONYMOUS_NAME.test(name) && !LONE_SURROGATE.test(name)
}

/** Returns whether an identifier has the form of a stream's sid. */
export function isStreamSid(id: string): boolean {
  return STREAM_SID.test(id)
}

/** Returns whether a sid was made for a stream with a name. Sids of gateways before 0.2 do not show it. */
export function isSidOfName(sid: string): boolean {
  return sid.charAt(2) < '8'
}

/** Orders records by their age, oldest first. */
export function byAge(one: Age, other: Age): number {
  return one.createdMs - other.createdMs || (one.sid < other.sid ? -1 : Number(one.sid > other.sid))
}

function isTime(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) <= LAST_MS
}

function expiryOf(ttlSeconds: number, nowMs: number): number | null {
  return ttlSeconds === 0 ? null : nowMs + ttlSeconds * 1000
}

/** Makes a sid. Its first bit is set for an anonymous stream: a forged record can't take a sid of the other kind. */
function newSid(isNamed: boolean): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16))
  const [first = 0] = bytes
  bytes[0] = isNamed ? first & 0x7f : first | 0x80
  let sid = 'TO'
  for (const byte of bytes) sid += byte.toString(16).padStart(2, '0')
  return sid
}
