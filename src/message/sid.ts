/** Identifies a message by its publisher's origin and its number there. */
export interface Sid {
  /** 16 hex digits. */
  readonly origin: string
  /** From 1. */
  readonly sequence: number
}

export const SID_LENGTH = 34

/** Builds a sid from the origin (16 hex digits) and the sequence number. */
export function sidOf(origin: string, sequence: number): string {
  const digits = sequence.toString(16)
  return `TZ${origin}${'0000000000000000'.slice(digits.length)}${digits}`
}

/**
 * Reads the sid that a text begins with; `undefined` when it has another form or a number beyond 2⁵³−1 or below 1. When
 * its origin is `lastOrigin`, that string is reused.
 */
export function parseSid(text: string, lastOrigin?: string): Sid | undefined {
  const sequence = sequenceAt(text, 18)
  if (sequence === undefined || !text.startsWith('TZ')) return undefined
  if (lastOrigin !== undefined && text.startsWith(lastOrigin, 2)) return { origin: lastOrigin, sequence }
  if (Number.isNaN(hexAt(text, 2))) return undefined
  // In two: a longer slice would keep the whole frame in memory as long as the origin is known.
  return { origin: text.slice(2, 10) + text.slice(10, 18), sequence }
}

/** Reads a sequence number: 16 lower-case hex digits, from 1 to 2⁵³−1. */
export function sequenceAt(text: string | Uint8Array, at: number): number | undefined {
  const sequence = hexAt(text, at)
  return Number.isSafeInteger(sequence) && sequence >= 1 ? sequence : undefined
}

/** Reads 16 lower-case hex digits, which may be more than a number holds exactly; `NaN` for anything else. */
function hexAt(text: string | Uint8Array, at: number): number {
  let value = 0
  for (let index = at; index < at + 16; index++) {
    const code = typeof text === 'string' ? text.charCodeAt(index) : (text[index] as number)
    if (code >= 0x30 && code <= 0x39) value = value * 16 + (code - 0x30)
    else if (code >= 0x61 && code <= 0x66) value = value * 16 + (code - 0x57)
    else return Number.NaN
  }
  return value
}
