import { canonicalJson, type Shape } from './canonical-json.ts'
import { type Message, parseSid } from './message.ts'
import { isRecord, MAX_DEPTH } from './snapshot.ts'
import { decodeUtf8 } from './utf8.ts'

/** How many messages a frame holds at the most. */
export const MAX_MESSAGES_PER_FRAME = 64
/** What a frame holds of a message beside its data: names, sid, `t`, and room for members we do not know. */
const ENVELOPE_BYTES = 128
/** The data's own nesting, inside a message, inside an array. How deep the data itself is, `seal` checks. */
const MAX_FRAME_DEPTH = MAX_DEPTH + 2

/** One message of a decoded frame. `origin` and `sequence` are absent when a foreign client wrote it by hand. */
export interface FrameEntry {
  readonly data: object
  readonly origin: string | undefined
  readonly sequence: number
  readonly tMs: number | undefined
}

/** What a frame says: messages, with `undefined` in the place of each malformed one, or that the stream ends. */
export type DecodedFrame =
  | { readonly entries: readonly (FrameEntry | undefined)[] }
  | { readonly removedBy: { readonly origin: string; readonly sequence: number } }

/** Returns the most bytes that a receiver takes in one frame of a stream. */
export function maxIncomingBytes(maxBytes: number): number {
  return MAX_MESSAGES_PER_FRAME * (maxBytes + ENVELOPE_BYTES)
}

/**
 * Writes one message; `wire` is the snapshot that was published, `tMs` counts since its origin began, `shapes` is
 * what `canonicalJson` remembers.
 */
export function encodeMessage(message: Message, wire: object, tMs: number, shapes?: Shape[]): string {
  return `{"data":${canonicalJson(wire, shapes)},"sid":"${message.sid}","t":${tMs}}`
}

/** Writes the frame that ends a stream in the other processes. */
export function encodeRemoval(sid: string): string {
  return `{"removed":true,"sid":"${sid}"}`
}

/** Joins encoded messages to one frame. */
export function joinMessages(messages: readonly string[]): string {
  return messages.length === 1 ? (messages[0] as string) : `[${messages.join(',')}]`
}

/**
 * Reads a frame; `undefined` when it is malformed as a whole. Never throws. `lastOrigin` is who spoke last: most
 * likely who speaks now, and then its string is taken instead of a new one.
 */
export function decodeFrame(bytes: Uint8Array, lastOrigin?: string): DecodedFrame | undefined {
  try {
    const text = decodeUtf8(bytes)
    const entries = readCanonical(text, lastOrigin)
    if (entries !== undefined) return { entries }
    return isTooDeep(text) ? undefined : read(JSON.parse(text))
  } catch {
    return undefined
  }
}

const QUOTE = 0x22
const POINT = 0x2e
const ZERO = 0x30
const NINE = 0x39
const COLON = 0x3a
const ARRAY = 0x5b
const BACKSLASH = 0x5c
const ARRAY_END = 0x5d
const OBJECT = 0x7b
const OBJECT_END = 0x7d

/** Tells from the last bytes of a canonical frame whether its last message has this origin, without decoding it. */
export function endsWithOrigin(bytes: Uint8Array, origin: string): boolean {
  const start = endOfTailSid(bytes) - 32
  for (let index = 0; index < origin.length; index++) {
    if (bytes[start + index] !== origin.charCodeAt(index)) return false
  }
  return true
}

/** Reads the sid of a canonical frame's last message from its last bytes, without decoding the frame. */
export function tailSid(bytes: Uint8Array): { origin: string; sequence: number } | undefined {
  const end = endOfTailSid(bytes)
  return parseSid(String.fromCharCode(...bytes.subarray(Math.max(0, end - 34), Math.max(0, end))))
}

/** Finds the quote that closes the sid in `…"sid":"TZ<origin><sequence>","t":1234}` and perhaps `]`; −1 if none. */
function endOfTailSid(bytes: Uint8Array): number {
  let end = bytes.length - 1
  if (bytes[end] === ARRAY_END) end--
  if (bytes[end--] !== OBJECT_END) return -1
  while (isDigit(bytes[end])) end--
  // `end` is at the colon of `","t":`, or at the quote that closes a sid.
  if (bytes[end] === COLON) end -= 5
  return bytes[end] === QUOTE ? end : -1
}

function isDigit(code: number | undefined): boolean {
  return code !== undefined && ((code >= ZERO && code <= NINE) || code === POINT)
}

const DATA_START = '{"data":{'
const SID_START = ',"sid":"TZ'
const T_START = '","t":'
/** How far the end of the sid and `t` are behind the end of the data. */
const SID_END = SID_START.length + 32
const T_AT = SID_END + T_START.length

/**
 * Reads what `encodeMessage` and `joinMessages` wrote: only the data is parsed, without its envelope. Returns
 * `undefined` for anything else and whatever may be malformed: that is then read in the general way.
 */
function readCanonical(text: string, lastOrigin: string | undefined): FrameEntry[] | undefined {
  const isArray = text[0] === '['
  const last = isArray ? text.length - 1 : text.length
  if (isArray && text[last] !== ']') return undefined
  const entries: FrameEntry[] = []
  let origin = lastOrigin
  let at = isArray ? 1 : 0
  while (entries.length < MAX_MESSAGES_PER_FRAME) {
    const dataEnd = text.indexOf(SID_START, at)
    const end = text.indexOf('}', dataEnd + T_AT)
    const entry = dataEnd < 0 || end < 0 ? undefined : readMessage(text, at, dataEnd, end, origin)
    if (entry === undefined) return undefined
    if (end + 1 === last && !isArray) return [entry]
    entries.push(entry)
    if (end + 1 === last) return entries
    if (!isArray || text[end + 1] !== ',') return undefined
    origin = entry.origin
    at = end + 2
  }
  return undefined
}

/** Reads a canonical message that starts at `at` and whose closing bracket is at `end`. */
function readMessage(
  text: string,
  at: number,
  dataEnd: number,
  end: number,
  lastOrigin: string | undefined,
): FrameEntry | undefined {
  const sid = parseSid(text.slice(dataEnd + SID_START.length - 2, dataEnd + SID_END), lastOrigin)
  const digits = text.slice(dataEnd + T_AT, end)
  const tMs = Number(digits)
  if (sid === undefined || !Number.isSafeInteger(tMs) || tMs < 0 || String(tMs) !== digits) return undefined
  if (!text.startsWith(DATA_START, at) || !text.startsWith(T_START, dataEnd + SID_END)) return undefined
  const data = parseShallow(text.slice(at + DATA_START.length - 1, dataEnd))
  return data && { data, origin: sid.origin, sequence: sid.sequence, tMs }
}

/** Parses an object that cannot be too deep: it has no more characters, or brackets, than levels are allowed. */
function parseShallow(text: string): object | undefined {
  if (text.length > MAX_DEPTH && !countsFewBrackets(text)) return undefined
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function read(root: unknown): DecodedFrame | undefined {
  if (Array.isArray(root)) {
    if (root.length === 0 || root.length > MAX_MESSAGES_PER_FRAME) return undefined
    return { entries: root.map(readEntry) }
  }
  if (!isRecord(root)) return undefined
  if (own(root, 'removed') === true) {
    const removedBy = parseSid(own(root, 'sid'))
    return removedBy && { removedBy }
  }
  const entry = readEntry(root)
  return entry && { entries: [entry] }
}

function readEntry(value: unknown): FrameEntry | undefined {
  if (!isRecord(value)) return undefined
  const data = own(value, 'data')
  const sid = own(value, 'sid')
  const tMs = own(value, 't')
  if (!isRecord(data)) return undefined
  if (tMs !== undefined && !(typeof tMs === 'number' && Number.isFinite(tMs) && tMs >= 0)) return undefined
  if (sid === undefined) return { data, origin: undefined, sequence: 0, tMs: undefined }
  const parsed = parseSid(sid)
  return parsed && { data, origin: parsed.origin, sequence: parsed.sequence, tMs }
}

function own(record: Record<string, unknown>, key: string): unknown {
  return Object.hasOwn(record, key) ? record[key] : undefined
}

/** Scans without parsing: a frame of 4 KB of `[` costs JSON.parse 25 times what a string of that size costs. */
function isTooDeep(text: string): boolean {
  let depth = 0
  let isInString = false
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index)
    if (code === QUOTE) isInString = !isInString
    else if (isInString) index += code === BACKSLASH ? 1 : 0
    else if (code === ARRAY || code === OBJECT) depth++
    else if (code === ARRAY_END || code === OBJECT_END) depth--
    if (depth > MAX_FRAME_DEPTH) return true
  }
  return false
}

/** Most texts have fewer opening brackets, wherever they stand, than levels are allowed. */
function countsFewBrackets(text: string): boolean {
  let count = 0
  for (const bracket of ['[', '{']) {
    for (let at = text.indexOf(bracket); at >= 0; at = text.indexOf(bracket, at + 1)) {
      if (++count > MAX_DEPTH) return false
    }
  }
  return true
}
