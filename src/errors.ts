/** Every code that a `RivuletError` can carry; the README has a heading for each. */
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
  | 'WAITING_LINE_FULL'
  | 'TRANSPORT_UNAVAILABLE'
  | 'TRANSPORT_FAILED'

/** The numbers behind an error, as fields of it. Only those that belong to its code are set. */
export interface ErrorDetails {
  /** `PAYLOAD_TOO_LARGE`: the size in bytes. */
  readonly bytes?: number
  /** `PAYLOAD_TOO_LARGE`: the limit in bytes. */
  readonly maxBytes?: number
  /** `INVALID_DATA`: where in the data, e.g. `$.a.b[3]`. */
  readonly path?: string
  /** `RATE_LIMITED`: whole milliseconds after which there is room, if nothing else is admitted meanwhile. */
  readonly retryAfterMs?: number
  /** `WAITING_LINE_FULL`: how many the line holds. */
  readonly maxWaiting?: number
  /** `SCHEMA_MISMATCH`: the validator's own issues. */
  readonly issues?: readonly unknown[]
  /** `PAYLOAD_TOO_LARGE`: whether `bytes` is a lower bound, since measuring stopped at the limit. */
  readonly atLeast?: boolean
  /** `INVALID_DATA`, `SCHEMA_MISMATCH`: what is wrong, in words. */
  readonly reason?: string
  /** The error underneath: what user code threw, or what the transport reported. */
  readonly cause?: unknown
}

const BRAND = Symbol.for('rivulet.error')

/** The one error class. Tell errors apart by `code`; `message` says what happened, the numbers, and what to do. */
export class RivuletError extends Error {
  /** Tells it from other errors in logs. */
  override readonly name = 'RivuletError'
  /** What kind of error it is. */
  readonly code: ErrorCode
  /** See {@link ErrorDetails.bytes}. */
  declare readonly bytes?: number
  /** See {@link ErrorDetails.maxBytes}. */
  declare readonly maxBytes?: number
  /** See {@link ErrorDetails.path}. */
  declare readonly path?: string
  /** See {@link ErrorDetails.retryAfterMs}. */
  declare readonly retryAfterMs?: number
  /** See {@link ErrorDetails.maxWaiting}. */
  declare readonly maxWaiting?: number
  /** See {@link ErrorDetails.issues}. */
  declare readonly issues?: readonly unknown[]
  /** See {@link ErrorDetails.atLeast}. */
  declare readonly atLeast?: boolean
  /** See {@link ErrorDetails.reason}. */
  declare readonly reason?: string

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    const { cause, ...numbers } = details
    super(message, cause === undefined ? undefined : { cause })
    this.code = code
    Object.assign(this, numbers)
  }

  /** Tells whether a value is a `RivuletError`, also one made by another copy of the library (ESM beside CJS). */
  static is(value: unknown): value is RivuletError {
    return typeof value === 'object' && value !== null && BRAND in value
  }

  /** Marks instances for {@link RivuletError.is}. */
  get [BRAND](): true {
    return true
  }
}
