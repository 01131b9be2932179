import { RivuletError } from 'rivulet'
import { unref } from '../base/unref.ts'

/** A token is asked for so long before the old one expires; when it lives shorter than twice that, after half of it. */
const RENEW_BEFORE_MS = 30_000
/** How long to wait after an attempt that failed, or gave the token that the server has. */
const RETRY_MS = 5_000
const LONGEST_TIMER_MS = 2 ** 31 - 1

/** Asks for a new token before the old one expires. */
export class Renewal {
  readonly #token: () => Promise<string | undefined>
  readonly #send: (token: string) => void
  readonly #failed: (cause: unknown) => void
  #timer: ReturnType<typeof setTimeout> | undefined
  #isStopped = false
  /** The server has it: sending it again would win nothing. */
  #last: string | undefined

  constructor(
    token: () => Promise<string | undefined>,
    send: (token: string) => void,
    failed: (cause: unknown) => void,
  ) {
    this.#token = token
    this.#send = send
    this.#failed = failed
  }

  /** Asks for the token to open with. */
  async firstToken(): Promise<string | undefined> {
    this.#last = await this.#token()
    return this.#last
  }

  /** The session ends in so many milliseconds, or never. */
  schedule(expiresInMs: unknown): void {
    if (typeof expiresInMs !== 'number') return
    this.#renewIn(Math.max(expiresInMs - RENEW_BEFORE_MS, expiresInMs / 2))
  }

  stop(): void {
    this.#isStopped = true
    clearTimeout(this.#timer)
  }

  #renewIn(waitMs: number): void {
    clearTimeout(this.#timer)
    if (this.#isStopped) return
    const timerMs = Math.min(waitMs, LONGEST_TIMER_MS)
    const next = () => (waitMs > timerMs ? this.#renewIn(waitMs - timerMs) : void this.#renew())
    this.#timer = setTimeout(next, timerMs)
    unref(this.#timer)
  }

  async #renew(): Promise<void> {
    try {
      const token = await this.#token()
      if (this.#isStopped || token === undefined) return
      if (token === this.#last) return this.#renewIn(RETRY_MS)
      this.#last = token
      this.#send(token)
    } catch (cause) {
      if (this.#isStopped) return
      this.#failed(cause)
      this.#renewIn(RETRY_MS)
    }
  }
}

// What a page reads of a proxy whose server is starting again; the next attempt may find the server.
const EMPTY = 'it was empty; does the option check that the answer is `ok`?'

/**
 * Asks for a token. Rejects `TRANSPORT_UNAVAILABLE` when there is none to be had now, and with a `RivuletError` that the
 * option throws.
 */
export async function askToken(
  token: (() => string | Promise<string>) | undefined,
): Promise<string | undefined> {
  if (token === undefined) return undefined
  try {
    const text: unknown = await token()
    if (text === '') throw new Error(EMPTY)
    // As of a login whose answer has no token this time.
    if (typeof text !== 'string') throw new Error(`it is a string, not ${kindOf(text)}`)
    return text
  } catch (cause) {
    if (RivuletError.is(cause)) throw cause
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new RivuletError('TRANSPORT_UNAVAILABLE', `The option "token" gave no token: ${reason}`, { cause })
  }
}

/** Shows nothing of a value: it may hold a secret. */
function kindOf(value: unknown): string {
  if (value === null || value === undefined) return String(value)
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`
}
