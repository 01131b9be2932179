const ORIGIN = Symbol('origin')
const SEQUENCE = Symbol('sequence')
const TRACEPARENT = Symbol('traceparent')
/**
 * Version 00 of W3C Trace Context: https://www.w3.org/TR/trace-context/#traceparent-header. How long its parts are is
 * looked at apart: counting repeats takes an expression half as long again.
 */
const TRACEPARENT_FORM = /^00-(?!0+-)[0-9a-f]+-(?!0+-)[0-9a-f]+-[0-9a-f]+$/
const TRACEPARENT_LENGTH = 55

// Its fields are only declared: one that is made is stored once, not first as undefined.
/** A published value on its way to a subscriber. Frozen; `JSON.stringify` gives `{"sid":…,"data":…}`. */
export class Message<Data = unknown> {
  /** The data: deep-frozen JSON, or the output of the stream's schema. */
  declare readonly data: Data
  /** Whether it was published in this process through the stream that delivers it. */
  declare readonly isLocal: boolean
  // Unique symbols in the declarations would part the class of ES modules from that of CommonJS.
  /** @internal */
  declare readonly [ORIGIN]: string
  /** @internal */
  declare readonly [SEQUENCE]: number
  /** @internal */
  declare readonly [TRACEPARENT]?: string | undefined

  /** Made by the library. `origin`: 16 hex digits; `sequence`: its number there, from 1; `traceparent`: while traced. */
  constructor(
    data: Data,
    isLocal: boolean,
    origin: string,
    sequence: number,
    traceparent: string | undefined,
  ) {
    this.data = data
    this.isLocal = isLocal
    this[ORIGIN] = origin
    this[SEQUENCE] = sequence
    if (traceparent !== undefined) this[TRACEPARENT] = traceparent
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

  /** Shows the sid, the data and where it comes from in Node's `console.log`. */
  [Symbol.for('nodejs.util.inspect.custom')](): object {
    return { sid: this.sid, data: this.data, isLocal: this.isLocal }
  }
}

/** Returns the trace that a message belongs to, if it was traced when it was published. */
export function traceparentOf(message: Message): string | undefined {
  return message[TRACEPARENT]
}

/** Returns a value that has the form of a traceparent, `undefined` for any other. */
export function traceparentIn(value: unknown): string | undefined {
  if (typeof value !== 'string' || value.length !== TRACEPARENT_LENGTH) return undefined
  return value[35] === '-' && value[52] === '-' && TRACEPARENT_FORM.test(value) ? value : undefined
}

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
 * Reads the sid that a text begins with; `undefined` when it has another form or a number beyond 2⁵³−1 or below 1.
 * When it is of `lastOrigin`, that string is returned instead of a new one.
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
