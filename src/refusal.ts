import { type ErrorDetails, RivuletError } from './errors.ts'

/** The codes with which a publish can be refused. `INVALID_OPTIONS`: the stream's schema is asynchronous. */
export type RefusalCode =
  | 'INVALID_DATA'
  | 'PAYLOAD_TOO_LARGE'
  | 'RATE_LIMITED'
  | 'SCHEMA_MISMATCH'
  | 'INVALID_OPTIONS'
  | 'STREAM_CLOSED'
  | 'HUB_CLOSED'
  | 'WAITING_LINE_FULL'

/**
 * Says why a publish was refused, as a value. The `RivuletError` is made only when `error` is read, so that a
 * flood of refusals captures no stacks.
 */
export class Refusal {
  /** Tells it from what `tryPublish` gives when the message was accepted. */
  readonly ok = false
  /** Why it was refused. */
  readonly code: RefusalCode
  /** The numbers behind the code; the same fields are on `error`. */
  readonly details: ErrorDetails
  #error: RivuletError | undefined

  constructor(code: RefusalCode, details: ErrorDetails = {}) {
    this.code = code
    this.details = details
  }

  /** `RATE_LIMITED` only: whole milliseconds after which there is room, if nothing else is admitted meanwhile. */
  get retryAfterMs(): number | undefined {
    return this.details.retryAfterMs
  }

  /** The refusal as an error, made at the first read. */
  get error(): RivuletError {
    this.#error ??= new RivuletError(this.code, describe(this.code, this.details), this.details)
    return this.#error
  }
}

function describe(code: RefusalCode, details: ErrorDetails): string {
  switch (code) {
    case 'INVALID_DATA':
      return `${details.reason} at ${details.path}; publish data whose JSON is an object.`
    case 'PAYLOAD_TOO_LARGE':
      return `Payload is ${details.atLeast ? 'at least ' : ''}${details.bytes} bytes, the limit is ${details.maxBytes}; send a reference instead, or split it.`
    case 'RATE_LIMITED':
      return `The stream is at its rate limit; retry after ${details.retryAfterMs} ms, or use publishWhenReady or publishLatest.`
    case 'SCHEMA_MISMATCH':
      return `The data does not match the stream's schema: ${details.reason}.`
    case 'INVALID_OPTIONS':
      return 'The schema validates asynchronously; give the stream one that validates synchronously.'
    case 'STREAM_CLOSED':
      return 'The stream is closed; open it again with hub.stream(name).'
    case 'HUB_CLOSED':
      return 'The hub is closed; create another one.'
    case 'WAITING_LINE_FULL':
      return `${details.maxWaiting} messages are waiting already; publish less, or raise maxWaiting.`
  }
}
