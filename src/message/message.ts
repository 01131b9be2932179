import { sidOf } from './sid.ts'

const ORIGIN = Symbol('origin')
const SEQUENCE = Symbol('sequence')
const TRACEPARENT = Symbol('traceparent')
/**
 * Version 00 of W3C Trace Context: https://www.w3.org/TR/trace-context/#traceparent-header. The lengths of its parts
 * are checked apart: with counted repeats the expression takes half as long again.
 */
const TRACEPARENT_FORM = /^00-(?!0+-)[0-9a-f]+-(?!0+-)[0-9a-f]+-[0-9a-f]+$/
const TRACEPARENT_LENGTH = 55

// The fields are only declared: initializers would store each one first as undefined.
/** A published value on its way to a subscriber. Frozen; `JSON.stringify` gives `{"sid":…,"data":…}`. */
export class Message<Data = unknown> {
  /** The data: deep-frozen JSON, or the output of the stream's schema. */
  declare readonly data: Data
  /** Whether it was published in this process through the stream that delivers it. */
  declare readonly isLocal: boolean
  // Unique symbols in the declarations would make the classes of ES modules and CommonJS different types.
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

  /** A unique identifier, made when it is read: `TZ`, 16 hex digits of the origin, 16 of the number. */
  get sid(): string {
    return sidOf(this[ORIGIN], this[SEQUENCE])
  }

  /** Returns the sid and the data, for `JSON.stringify`. */
  toJSON(): { sid: string; data: Data } {
    return { sid: this.sid, data: this.data }
  }

  /** Shows the sid, the data and whether it is local in Node's `console.log`. */
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
