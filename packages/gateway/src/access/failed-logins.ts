import type { GatewayLog } from '../base/gateway-log.ts'
import { isKeySid } from './key-ring.ts'

/** The client and the key of a login attempt. */
export interface LoginAttempt {
  /** The address of the client, where the server gives it. */
  readonly clientAddress: string | undefined
  /** The sid that the client names, whether there is such a key or not. */
  readonly sid: string
}

const MAX_FAILURES = 10
const WINDOW_MS = 60_000
// Some 200 bytes each. An entry that is evicted for a newer one ends at most a minute early: a client with thousands of
// sids in between has nine guesses for each round of them.
const MAX_ENTRIES = 4096

/**
 * Counts wrong passwords per client address and sid, and returns for how long further ones are not even looked at: from
 * the tenth within a minute until that minute is over. Counting per sid as well leaves the others alone that come through
 * the same proxy. A sid of which there is no key is counted like any other: else the answers would reveal which keys exist.
 */
export class FailedLogins {
  readonly #log: GatewayLog
  /** In the order in which their minutes end. */
  readonly #entries = new Map<string, { failures: number; readonly endsMs: number }>()
  #total = 0
  /** Made-up sids must not fill the log. */
  #nextUnknownMs = Number.NEGATIVE_INFINITY

  constructor(log: GatewayLog) {
    this.#log = log
  }

  /** Gives the milliseconds until another attempt is looked at; 0 is now. */
  waitMs(attempt: LoginAttempt, nowMs: number): number {
    // Without an address, whoever guesses would shut the key's owner out.
    if (this.#entries.size === 0 || attempt.clientAddress === undefined) return 0
    const entry = this.#entries.get(nameOf(attempt))
    return entry === undefined || entry.failures < MAX_FAILURES ? 0 : Math.max(entry.endsMs - nowMs, 0)
  }

  /** Counts a wrong password, and writes a line when it is one too many. `keySid` is the sid if there is such a key. */
  add(attempt: LoginAttempt, keySid: string | undefined, nowMs: number): void {
    this.#total += 1
    const entry = this.#entryOf(nameOf(attempt), nowMs)
    entry.failures += 1
    if (entry.failures !== MAX_FAILURES) return
    if (keySid === undefined && nowMs < this.#nextUnknownMs) return
    if (keySid === undefined) this.#nextUnknownMs = nowMs + WINDOW_MS
    const { clientAddress } = attempt
    const fields = { clientAddress, keySid, failures: MAX_FAILURES, failuresOfAll: this.#total }
    this.#log.warn(
      fields,
      'too many wrong passwords; where the address is known, more are refused for a minute',
    )
  }

  #entryOf(name: string, nowMs: number) {
    const running = this.#entries.get(name)
    if (running !== undefined && running.endsMs > nowMs) return running
    this.#entries.delete(name)
    const [oldest] = this.#entries.keys()
    if (oldest !== undefined && this.#entries.size >= MAX_ENTRIES) this.#entries.delete(oldest)
    const entry = { failures: 0, endsMs: nowMs + WINDOW_MS }
    this.#entries.set(name, entry)
    return entry
  }
}

/** The name of all texts without the form of a key: they can't be one, so they need no names of their own. */
function nameOf({ clientAddress = '', sid }: LoginAttempt): string {
  return `${clientAddress} ${isKeySid(sid) ? sid : ''}`
}
