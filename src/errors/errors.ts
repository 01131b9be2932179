/** Every code that a `RivuletError` can carry; `docs/errors.md` has a heading for each. */
export type ErrorCode =
  | 'INVALID_DATA'
  | 'PAYLOAD_TOO_LARGE'
  | 'RATE_LIMITED'
  | 'SCHEMA_MISMATCH'
  | 'INVALID_NAME'
  | 'INVALID_OPTIONS'
  | 'STREAM_OPTIONS_CONFLICT'
  | 'STREAM_CLOSED'
  | 'HUB_CLOSED'
  | 'QUEUE_FULL'
  | 'LOST'
  | 'UNCONFIRMED'
  | 'LISTENER_FAILED'
  | 'TOO_MANY_PUBLISHERS'
  | 'NEWER_FORMAT'
  | 'SOURCE_FAILED'
  | 'ALONE_IN_PROCESS'
  | 'TRANSPORT_MISSING'
  | 'TRANSPORT_UNAVAILABLE'
  | 'TRANSPORT_FAILED'

/** The numbers behind an error, as fields of it. Only those that belong to its code are set. */
export interface ErrorDetails {
  /** The name of the hub that it concerns. */
  readonly hub?: string | undefined
  /** The name of the stream that it concerns. */
  readonly stream?: string | undefined
  /** `PAYLOAD_TOO_LARGE`: the size in bytes. */
  readonly bytes?: number | undefined
  /** `PAYLOAD_TOO_LARGE`: the limit in bytes. */
  readonly maxBytes?: number | undefined
  /** `INVALID_DATA`: the path in the data, e.g. `$.a.b[3]`. `SCHEMA_MISMATCH`: the path of its first issue. */
  readonly path?: string | undefined
  /** `RATE_LIMITED`: whole milliseconds until a message is admitted, if no other one is meanwhile. */
  readonly retryAfterMs?: number | undefined
  /** `QUEUE_FULL`: the most messages in the queue. */
  readonly maxWaiting?: number | undefined
  /** `SCHEMA_MISMATCH`: the validator's own issues. */
  readonly issues?: readonly unknown[] | undefined
  /** `PAYLOAD_TOO_LARGE`: whether `bytes` is a lower bound, since measuring stopped at the limit. */
  readonly atLeast?: boolean | undefined
  /** `LOST`, `UNCONFIRMED`: the message's `sid`. */
  readonly sid?: string | undefined
  /**
   * `INVALID_DATA`, `SCHEMA_MISMATCH`: the fault, in words. `LOST`: the reason, as in the ledger. `UNCONFIRMED`:
   * `aborted`, when a signal ended the wait.
   */
  readonly reason?: string | undefined
  /** The underlying error, thrown by user code or reported by the transport. */
  readonly cause?: unknown
}

const BRAND = Symbol.for('rivulet.error')

/** The numbers are fields of the error. */
export interface RivuletError extends Omit<ErrorDetails, 'cause'> {}

/** The one error class. Distinguish errors by `code`; `message` has the event, the numbers, and the remedy. */
// biome-ignore lint/suspicious/noUnsafeDeclarationMerging: its fields are optional, and the constructor sets those that it gets
export class RivuletError extends Error {
  /** Identifies the class in logs. */
  override readonly name = 'RivuletError'
  /** The kind of the error. */
  readonly code: ErrorCode

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    const { cause, ...fields } = details
    super(message + placeOf(details), cause === undefined ? undefined : { cause })
    this.code = code
    for (const [name, value] of Object.entries(fields))
      if (value !== undefined) Object.assign(this, { [name]: value })
  }

  /** Returns whether a value is a `RivuletError`, also one made by another copy of the library (ESM beside CJS). */
  static is(value: unknown): value is RivuletError {
    try {
      return BRAND in (value as object)
    } catch {
      return false // no object, or a proxy that throws
    }
  }

  /**
   * Marks instances for {@link RivuletError.is}.
   * @internal A unique symbol in the declarations would make the classes of ES modules and CommonJS different types.
   */
  get [BRAND](): true {
    return true
  }
}

/** The library never names a stream without its hub. */
function placeOf({ stream, hub }: ErrorDetails): string {
  if (hub === undefined) return ''
  // A tap's errors are of no stream in particular: its name is empty.
  return stream ? ` (stream ${shown(stream)} of hub "${hub}")` : ` (hub "${hub}")`
}

/** Names the hub, and the stream if there is one, on an error that does not name them yet. */
export function named(error: RivuletError, hub: string, stream?: string): RivuletError {
  if (error.hub !== undefined) return error
  const { code, message, cause, ...details } = error
  const place = stream === undefined ? { hub } : { hub, stream }
  return new RivuletError(code, message, { ...details, cause, ...place })
}

/** Shows any value in a message; `String` alone throws on some objects, and on a function whose proxy was revoked. */
export function shown(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.slice(0, 80))
  if (typeof value === 'function') return 'a function'
  return typeof value === 'object' && value !== null ? 'an object' : String(value).slice(0, 80)
}

/** Makes an `INVALID_OPTIONS` error. */
export function invalid(message: string): RivuletError {
  return new RivuletError('INVALID_OPTIONS', message)
}

/** Returns the message of a thrown value, which may be no error, or one of another realm. */
export function messageOf(cause: unknown): string {
  try {
    const { message } = cause as { readonly message?: unknown }
    return typeof message === 'string' ? message : shown(cause)
  } catch {
    return shown(cause) // null, undefined, or a getter that throws
  }
}
