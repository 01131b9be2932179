import { type ErrorDetails, RivuletError } from './errors.ts'

/** The first words of the reason for a root that is no object; that reason includes the path. */
export const ROOT_REASON = 'The root must be an object'

/** The message of each refusal. */
const DESCRIBE = {
  INVALID_DATA: ({ reason = '', path }) =>
    reason.startsWith(ROOT_REASON) ? `${reason}.` : `${reason} at ${path}.`,
  PAYLOAD_TOO_LARGE: ({ atLeast, bytes, maxBytes }) =>
    `Payload is ${atLeast ? 'at least ' : ''}${bytes} bytes, the limit is ${maxBytes}; send a reference instead, or split it.`,
  RATE_LIMITED: ({ retryAfterMs }) =>
    `The stream is at its rate limit; retry after ${retryAfterMs} ms, or use publishWhenReady or publishLatest.`,
  SCHEMA_MISMATCH: ({ reason }) => `The data does not match the stream's schema: ${reason}.`,
  INVALID_OPTIONS: () =>
    'The schema validates asynchronously; give the stream one that validates synchronously.',
  STREAM_CLOSED: () => 'The stream is closed; open it again with hub.stream(name).',
  HUB_CLOSED: () => 'The hub is closed; create another one.',
  QUEUE_FULL: ({ maxWaiting }) =>
    `${maxWaiting} messages are waiting already; publish less, or raise maxWaiting.`,
} satisfies Record<string, (details: ErrorDetails) => string>

/** The codes with which a publish can be refused. `INVALID_OPTIONS`: the stream's schema is asynchronous. */
export type RefusalCode = keyof typeof DESCRIBE

/** A {@link Refusal} as a program sees it; the class itself is not for making. */
export type RefusedPublish = { readonly [Name in keyof Refusal]: Refusal[Name] }

/** A stream, by its name and that of its hub. */
export interface Place {
  readonly name: string
  readonly hub: { readonly name: string }
}

/**
 * The refusal of a publish, as a value. The `RivuletError` is made only when `error` is read, so that a flood of
 * refusals captures no stacks.
 */
export class Refusal {
  /** Discriminates a refusal from an accepted message. */
  readonly ok = false
  /** The reason. */
  declare readonly code: RefusalCode
  /** The numbers behind the code; the same fields are on `error`. */
  declare readonly details: ErrorDetails
  readonly #place: Place | undefined
  #error: RivuletError | undefined

  /** Made by the library. */
  constructor(code: RefusalCode, place: Place | undefined, details: ErrorDetails = {}) {
    this.code = code
    this.details = details
    this.#place = place
  }

  /** `RATE_LIMITED` only: whole milliseconds until a message is admitted, if no other one is meanwhile. */
  get retryAfterMs(): number | undefined {
    return this.details.retryAfterMs
  }

  /** The refusal as an error, made at the first read. */
  get error(): RivuletError {
    if (this.#error === undefined) {
      const { code, details } = this
      const place = this.#place && { stream: this.#place.name, hub: this.#place.hub.name }
      this.#error = new RivuletError(code, DESCRIBE[code](details), { ...details, ...place })
    }
    return this.#error
  }
}
