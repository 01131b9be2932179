import stringify from 'fast-json-stable-stringify'
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

/** Returns the canonical JSON of a snapshot: keys sorted, no white space, the same bytes on every machine. */
export function canonicalJson(snapshot: object): string {
  return stringify(snapshot)
}

/** Writes one message; `wire` is the snapshot that was published, `tMs` counts since its origin began. */
export function encodeMessage(message: Message, wire: object, tMs: number): string {
  return `{"data":${canonicalJson(wire)},"sid":"${message.sid}","t":${tMs}}`
}

/** Writes the frame that ends a stream in the other processes. */
export function encodeRemoval(sid: string): string {
  return `{"removed":true,"sid":"${sid}"}`
}

/** Joins encoded messages to one frame. */
export function joinMessages(messages: readonly string[]): string {
  return messages.length === 1 ? (messages[0] as string) : `[${messages.join(',')}]`
}

/** Reads a frame; `undefined` when it is malformed as a whole. Never throws. */
export function decodeFrame(bytes: Uint8Array): DecodedFrame | undefined {
  try {
    const text = decodeUtf8(bytes)
    return isTooDeep(text) ? undefined : read(JSON.parse(text))
  } catch {
    return undefined
  }
}

const CODE = {
  '"': 0x22,
  '.': 0x2e,
  0: 0x30,
  9: 0x39,
  ':': 0x3a,
  '[': 0x5b,
  '\\': 0x5c,
  ']': 0x5d,
  '{': 0x7b,
  '}': 0x7d,
}

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
  if (bytes[end] === CODE[']']) end--
  if (bytes[end--] !== CODE['}']) return -1
  while (isDigit(bytes[end])) end--
  // `end` is at the colon of `","t":`, or at the quote that closes a sid.
  if (bytes[end] === CODE[':']) end -= 5
  return bytes[end] === CODE['"'] ? end : -1
}

function isDigit(code: number | undefined): boolean {
  return code !== undefined && ((code >= CODE[0] && code <= CODE[9]) || code === CODE['.'])
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
  if (countsFewBrackets(text)) return false
  let depth = 0
  let isInString = false
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index)
    if (code === CODE['"']) isInString = !isInString
    else if (isInString) index += code === CODE['\\'] ? 1 : 0
    else if (code === CODE['['] || code === CODE['{']) depth++
    else if (code === CODE[']'] || code === CODE['}']) depth--
    if (depth > MAX_FRAME_DEPTH) return true
  }
  return false
}

/** Most frames have fewer opening brackets, wherever they stand, than levels are allowed. */
function countsFewBrackets(text: string): boolean {
  let count = 0
  for (const bracket of ['[', '{']) {
    for (let at = text.indexOf(bracket); at >= 0; at = text.indexOf(bracket, at + 1)) {
      if (++count > MAX_FRAME_DEPTH) return false
    }
  }
  return true
}
