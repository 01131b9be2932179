const ORIGIN = Symbol('origin')
const SEQUENCE = Symbol('sequence')

// Its fields are only declared: one that is made is stored once, not first as undefined.
/** A published value on its way to a subscriber. Frozen; `JSON.stringify` gives `{"sid":…,"data":…}`. */
export class Message<Data = unknown> {
  /** The data: deep-frozen JSON, or the output of the stream's schema. */
  declare readonly data: Data
  /** Whether it was published in this process through the stream that delivers it. */
  declare readonly isLocal: boolean
  declare readonly [ORIGIN]: string
  declare readonly [SEQUENCE]: number

  /** Made by the library. `origin`: 16 hex digits; `sequence`: its number there, from 1. */
  constructor(data: Data, isLocal: boolean, origin: string, sequence: number) {
    this.data = data
    this.isLocal = isLocal
    this[ORIGIN] = origin
    this[SEQUENCE] = sequence
    Object.freeze(this)
  }

  /** A unique identifier, made when it is read: `TZ`, 16 hex digits of who published, 16 of the number. */
  get sid(): string {
    return sidOf(this[ORIGIN], this[SEQUENCE])
  }

  /** Gives the sid and the data, as `JSON.stringify` wants it. */
  toJSON(): { sid: string; data: Data } {
    return { sid: this.sid, data: this.data }
  }

  /** Shows the sid in Node's `console.log`. */
  [Symbol.for('nodejs.util.inspect.custom')](): object {
    return { sid: this.sid, data: this.data, isLocal: this.isLocal }
  }
}

/** Builds a sid from the origin (16 hex digits) and the sequence number. */
export function sidOf(origin: string, sequence: number): string {
  const digits = sequence.toString(16)
  return `TZ${origin}${'0000000000000000'.slice(digits.length)}${digits}`
}

/**
 * Reads a sid; `undefined` when it has another form or a number beyond 2⁵³−1 or below 1. When it is of `lastOrigin`,
 * that string is returned instead of a new one.
 */
export function parseSid(
  sid: unknown,
  lastOrigin?: string,
): { readonly origin: string; readonly sequence: number } | undefined {
  if (typeof sid !== 'string' || sid.length !== 34 || !sid.startsWith('TZ')) return undefined
  const sequence = hexAt(sid, 18)
  if (!Number.isSafeInteger(sequence) || sequence < 1) return undefined
  if (lastOrigin !== undefined && sid.startsWith(lastOrigin, 2)) return { origin: lastOrigin, sequence }
  // In two: a longer slice would keep the whole frame in memory as long as the origin is known.
  return Number.isNaN(hexAt(sid, 2)) ? undefined : { origin: sid.slice(2, 10) + sid.slice(10, 18), sequence }
}

/** Reads 16 lower-case hex digits, which may be more than a number holds exactly; `NaN` for anything else. */
function hexAt(text: string, at: number): number {
  let value = 0
  for (let index = at; index < at + 16; index++) {
    const code = text.charCodeAt(index)
    if (code >= 0x30 && code <= 0x39) value = value * 16 + (code - 0x30)
    else if (code >= 0x61 && code <= 0x66) value = value * 16 + (code - 0x57)
    else return Number.NaN
  }
  return value
}

/** Draws an origin: 16 hex digits, one per Stream object. */
export function newOrigin(): string {
  let origin = ''
  for (const byte of crypto.getRandomValues(new Uint8Array(8))) origin += byte.toString(16).padStart(2, '0')
  return origin
}
