/** How deep data may nest, as in the core. */
const MAX_DEPTH = 100
/** The end of text that is not canonical. */
const NOWHERE = -1
/** The longest number is `-0.0000011041155868393941`. */
const MAX_NUMBER_BYTES = 25
/** A number of no more digits, and a point perhaps, is written by JavaScript as it is read. */
const MAX_EXACT_DIGITS = 15

const [QUOTE, BACKSLASH, COMMA, COLON] = [0x22, 0x5c, 0x2c, 0x3a]
const [OPEN_LIST, CLOSE_LIST, OPEN_OBJECT, CLOSE_OBJECT] = [0x5b, 0x5d, 0x7b, 0x7d]
const [MINUS, POINT, ZERO, NINE, LAST_CONTROL] = [0x2d, 0x2e, 0x30, 0x39, 0x1f]
/** The characters that form an escape of two characters with a backslash before them: `"`, `\`, `b`, `f`, `n`, `r`, `t`. */
const SHORT_ESCAPES: ReadonlyMap<number, number> = new Map([
  ...([
    [QUOTE, QUOTE],
    [BACKSLASH, BACKSLASH],
  ] as const),
  ...([
    [0x62, 8],
    [0x66, 12],
    [0x6e, 10],
    [0x72, 13],
    [0x74, 9],
  ] as const),
])
/** The other escapes of `JSON.stringify`: the second half of a surrogate pair never follows the first one. */
const LONG_ESCAPE = /^\\u(?:00(?:0[0-7bef]|1[0-9a-f])|d[c-f][0-9a-f]{2}|d[89ab][0-9a-f]{2}(?!\\ud[c-f]))/
/** An escape, and the beginning of the one that must not follow. */
const MAX_ESCAPE_BYTES = 10

/** The end of a key sorts before everything. */
const END_RANK = -1
const FIRST_SURROGATE = 0xd800
const decoder = new TextDecoder()

/**
 * Finds the end of an object that begins at `at` and is canonical JSON as the core writes it: keys sorted by their
 * UTF-16 units and none twice, no white space, numbers and strings as `JSON.stringify` writes them, at most 100
 * levels. Returns -1 for anything else. The bytes are UTF-8. Nothing is decoded: a receiver of any make reads the same.
 */
export function endOfObject(bytes: Uint8Array, at: number, depth = 1): number {
  if (bytes[at] !== OPEN_OBJECT || depth > MAX_DEPTH) return NOWHERE
  if (bytes[at + 1] === CLOSE_OBJECT) return at + 2
  let lastKeyAt = NOWHERE
  for (let keyAt = at + 1; ; ) {
    const colonAt = endOfString(bytes, keyAt)
    if (bytes[colonAt] !== COLON) return NOWHERE
    if (lastKeyAt !== NOWHERE && !isBefore(bytes, lastKeyAt, keyAt)) return NOWHERE
    const end = endOfValue(bytes, colonAt + 1, depth + 1)
    if (bytes[end] === CLOSE_OBJECT) return end + 1
    if (bytes[end] !== COMMA) return NOWHERE
    lastKeyAt = keyAt
    keyAt = end + 1
  }
}

function endOfValue(bytes: Uint8Array, at: number, depth: number): number {
  const first = bytes[at]
  if (first === QUOTE) return endOfString(bytes, at)
  if (first === OPEN_OBJECT) return endOfObject(bytes, at, depth)
  if (first === OPEN_LIST) return endOfList(bytes, at, depth)
  if (first === MINUS || isDigit(first)) return endOfNumber(bytes, at)
  const literal = ['true', 'false', 'null'].find((word) => hasAt(bytes, at, word))
  return literal === undefined ? NOWHERE : at + literal.length
}

function endOfList(bytes: Uint8Array, at: number, depth: number): number {
  if (depth > MAX_DEPTH) return NOWHERE
  if (bytes[at + 1] === CLOSE_LIST) return at + 2
  for (let end = at; ; ) {
    end = endOfValue(bytes, end + 1, depth + 1)
    if (bytes[end] === CLOSE_LIST) return end + 1
    if (bytes[end] !== COMMA) return NOWHERE
  }
}

function endOfNumber(bytes: Uint8Array, at: number): number {
  const first = bytes[at] === MINUS ? at + 1 : at
  const pointAt = endOfDigits(bytes, first)
  const isWhole = bytes[pointAt] !== POINT
  let end = isWhole ? pointAt : endOfDigits(bytes, pointAt + 1)
  // As most are. Of the others, such as 0.01, 1e21 and those with more digits, JavaScript says how it writes them.
  const isPlain =
    bytes[first] !== ZERO || (pointAt === first + 1 && (isWhole ? first === at : bytes[pointAt + 1] !== ZERO))
  const isExact = end - first <= MAX_EXACT_DIGITS && (isWhole || bytes[end - 1] !== ZERO)
  if (pointAt > first && isPlain && isExact && bytes[end - 1] !== POINT && !isInExponent(bytes[end]))
    return end
  while (isInExponent(bytes[end])) end++
  if (end - at > MAX_NUMBER_BYTES) return NOWHERE
  const text = latin1At(bytes, at, end)
  return String(Number(text)) === text ? end : NOWHERE
}

function endOfDigits(bytes: Uint8Array, at: number): number {
  let end = at
  while (isDigit(bytes[end])) end++
  return end
}

function endOfString(bytes: Uint8Array, at: number): number {
  if (bytes[at] !== QUOTE) return NOWHERE
  for (let end = at + 1; end < bytes.length; end++) {
    const byte = bytes[end] as number
    if (byte === QUOTE) return end + 1
    if (byte <= LAST_CONTROL) return NOWHERE
    if (byte !== BACKSLASH) continue
    const length = escapeLength(bytes, end)
    if (length > 2 && !LONG_ESCAPE.test(latin1At(bytes, end, end + MAX_ESCAPE_BYTES))) return NOWHERE
    end += length - 1
  }
  return NOWHERE
}

/** Of a backslash with one character, or with `u` and four digits. */
function escapeLength(bytes: Uint8Array, at: number): number {
  return SHORT_ESCAPES.has(bytes[at + 1] as number) ? 2 : 6
}

/** Returns whether the key at one place sorts before the key at another one: by their UTF-16 units. */
function isBefore(bytes: Uint8Array, keyAt: number, otherKeyAt: number): boolean {
  for (let at = keyAt + 1, otherAt = otherKeyAt + 1; ; ) {
    const rank = rankAt(bytes, at)
    const otherRank = rankAt(bytes, otherAt)
    if (rank !== otherRank) {
      // High ranks do not decide which is first: there the units have to be compared.
      const areHigh = rank >= FIRST_SURROGATE && otherRank >= FIRST_SURROGATE
      return areHigh ? keyOf(bytes, keyAt) < keyOf(bytes, otherKeyAt) : rank < otherRank
    }
    if (rank === END_RANK) return false
    at += bytes[at] === BACKSLASH ? escapeLength(bytes, at) : 1
    otherAt += bytes[otherAt] === BACKSLASH ? escapeLength(bytes, otherAt) : 1
  }
}

/**
 * Ranks what begins at a place of a key: the end, an escape, or a byte of UTF-8. High, above the rest, rank surrogates and
 * the units beyond them: as escapes, or as bytes from EE on.
 */
function rankAt(bytes: Uint8Array, at: number): number {
  const byte = bytes[at] as number
  if (byte === QUOTE) return END_RANK
  if (byte === BACKSLASH) {
    const short = SHORT_ESCAPES.get(bytes[at + 1] as number)
    return short ?? Number.parseInt(latin1At(bytes, at + 2, at + 6), 16)
  }
  // The half, so that none is equal to that of a lone surrogate.
  return byte < 0xee ? byte : byte + FIRST_SURROGATE + 0.5
}

function keyOf(bytes: Uint8Array, at: number): string {
  return JSON.parse(decoder.decode(bytes.subarray(at, endOfString(bytes, at))))
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= ZERO && byte <= NINE
}

/** A digit, or one of `e + -`: what may follow the digits of a number as JavaScript writes it. */
function isInExponent(byte: number | undefined): boolean {
  return byte === 0x65 || byte === 0x2b || byte === MINUS || isDigit(byte)
}

/** Returns whether a text of ASCII begins at an index. */
export function hasAt(bytes: Uint8Array, at: number, text: string): boolean {
  for (let index = 0; index < text.length; index++) {
    if (bytes[at + index] !== text.charCodeAt(index)) return false
  }
  return true
}

/** Reads a few bytes as text, each as one character: in this way in a quarter of the time that other ways take. */
export function latin1At(bytes: Uint8Array, at: number, end: number): string {
  let text = ''
  for (let index = at; index < end && index < bytes.length; index++) {
    text += String.fromCharCode(bytes[index] as number)
  }
  return text
}
