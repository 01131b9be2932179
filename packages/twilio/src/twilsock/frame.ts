/** A packet of Twilsock V3.0: a header, which is a JSON object, and bytes that it is about. */
export interface Frame {
  readonly header: Readonly<Record<string, unknown>>
  readonly payload: Uint8Array
}

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { fatal: true })
const FIRST_WORDS = encoder.encode('TWILSOCK V3.0 ')
const CR = 13
const LF = 10
// Frames have a mebibyte at the most; a longer number is no length.
const MAX_LENGTH_DIGITS = 7
// A token has 8 KiB at the most. A mebibyte of brackets would take the parser 80 ms.
const MAX_HEADER_BYTES = 16_384
const NOTHING = new Uint8Array(0)

/**
 * Reads a frame, or gives `undefined` for anything that is none. As Twilio's mobile SDKs write them, the size of a
 * payload may be left out where there is none, and a line break may follow. The payload shares the bytes given.
 */
export function readFrame(bytes: Uint8Array): Frame | undefined {
  if (!FIRST_WORDS.every((byte, index) => bytes[index] === byte)) return undefined
  const length = readLength(bytes, FIRST_WORDS.length)
  if (length === undefined) return undefined
  if (length.value > MAX_HEADER_BYTES) return undefined
  const headerEnd = length.end + length.value
  if (!isLineBreak(bytes, headerEnd)) return undefined
  const header = readObject(bytes.subarray(length.end, headerEnd))
  if (header === undefined) return undefined
  const { payload_size: size = 0 } = header
  const start = headerEnd + 2
  if (typeof size !== 'number' || !Number.isInteger(size) || size < 0) return undefined
  const end = start + size
  const isWhole = bytes.length === end || (bytes.length === end + 2 && isLineBreak(bytes, end))
  return isWhole ? { header, payload: bytes.subarray(start, end) } : undefined
}

/** Writes a frame. `payload_size` is added to the header. */
export function writeFrame(header: object, payload: Uint8Array = NOTHING): Uint8Array {
  const head = encoder.encode(JSON.stringify({ ...header, payload_size: payload.length }))
  const first = encoder.encode(`TWILSOCK V3.0 ${head.length}\r\n`)
  const frame = new Uint8Array(first.length + head.length + 2 + payload.length)
  frame.set(first)
  frame.set(head, first.length)
  const separator = first.length + head.length
  frame[separator] = CR
  frame[separator + 1] = LF
  frame.set(payload, separator + 2)
  return frame
}

/** Writes a frame whose payload is the JSON text given. */
export function writeJsonFrame(header: object, json: string): Uint8Array {
  return writeFrame({ ...header, payload_type: 'application/json' }, encoder.encode(json))
}

/** Reads bytes as UTF-8, or gives `undefined` for bytes that are none. */
export function textOf(bytes: Uint8Array): string | undefined {
  try {
    return decoder.decode(bytes)
  } catch {
    return undefined
  }
}

function readLength(bytes: Uint8Array, start: number): { value: number; end: number } | undefined {
  let value = 0
  let position = start
  for (; position < start + MAX_LENGTH_DIGITS; position++) {
    const digit = (bytes[position] ?? 0) - 48
    if (digit < 0 || digit > 9) break
    value = value * 10 + digit
  }
  if (position === start || !isLineBreak(bytes, position)) return undefined
  return { value, end: position + 2 }
}

function isLineBreak(bytes: Uint8Array, position: number): boolean {
  return bytes[position] === CR && bytes[position + 1] === LF
}

function readObject(bytes: Uint8Array): Record<string, unknown> | undefined {
  const text = textOf(bytes)
  if (text === undefined) return undefined
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined
  } catch {
    return undefined
  }
}
