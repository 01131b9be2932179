import { failed } from './refusal.ts'

const SESSION_TAKEN_OVER = 142 // MQTT 5, 3.14.2.1
const WINDOW_MS = 10_000
const TRUCE_MS = 30_000
// Under 3.1.1 a broker says nothing when it throws a connection out; one that lasted this long was not fought for.
const SHORT_LIFE_MS = 2_000

/** How a connection ended. */
export interface Ending {
  readonly protocol: 4 | 5
  readonly reasonCode: number | undefined
  readonly lifeMs: number
}

/**
 * Watches a client id that the user has given. Two clients with one id throw each other out for ever, each
 * losing half of its messages; the one that was thrown out twice within 10 s stands back for 30 s.
 */
export class TakeOvers {
  readonly #clientId: string | undefined
  #lastMs = Number.NEGATIVE_INFINITY
  #truceUntilMs = Number.NEGATIVE_INFINITY

  constructor(clientId: string | undefined) {
    this.#clientId = clientId
  }

  /** Notes the end of a connection, if it looks like a take-over. */
  note(ending: Ending, nowMs: number): void {
    if (this.#clientId === undefined || !isTakeOver(ending)) return
    const isSecond = nowMs - this.#lastMs <= WINDOW_MS
    if (isSecond) this.#truceUntilMs = nowMs + TRUCE_MS
    this.#lastMs = isSecond ? Number.NEGATIVE_INFINITY : nowMs
  }

  /** Throws `TRANSPORT_FAILED` while the id is left to the other client. */
  check(nowMs: number): void {
    if (nowMs >= this.#truceUntilMs) return
    throw failed(
      `Another client took the MQTT client id "${this.#clientId}" over, twice within ` +
        `${WINDOW_MS / 1000} s; give each client an id of its own, or none.`,
    )
  }
}

function isTakeOver({ protocol, reasonCode, lifeMs }: Ending): boolean {
  return protocol === 5 ? reasonCode === SESSION_TAKEN_OVER : lifeMs < SHORT_LIFE_MS
}
