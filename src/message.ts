const ORIGIN = Symbol('origin')
const SEQUENCE = Symbol('sequence')

/** The form of a sid: `TZ`, 16 hex digits of the origin, 16 of the sequence number. */
const SID = /^TZ([0-9a-f]{16})([0-9a-f]{16})$/

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
  return `TZ${origin}${sequence.toString(16).padStart(16, '0')}`
}

/** Reads a sid; `undefined` when it has another form or a number beyond 2⁵³−1 or below 1. */
export function parseSid(sid: unknown): { origin: string; sequence: number } | undefined {
  const match = typeof sid === 'string' ? SID.exec(sid) : null
  if (match === null) return undefined
  const sequence = Number.parseInt(match[2] as string, 16)
  return Number.isSafeInteger(sequence) && sequence > 0 ? { origin: match[1] as string, sequence } : undefined
}

/** Draws an origin: 16 hex digits, one per Stream object. */
export function newOrigin(): string {
  let origin = ''
  for (const byte of crypto.getRandomValues(new Uint8Array(8))) origin += byte.toString(16).padStart(2, '0')
  return origin
}
