import { failed } from './refusal.ts'

const SESSION_TAKEN_OVER = 142 // MQTT 5, 3.14.2.1
const WINDOW_MS = 10_000
const TRUCE_MS = 30_000
// Under 3.1.1 a broker says nothing when it throws a connection out; one that lasted this long was not fought for.
const SHORT_LIFE_MS = 2_000

/**
 * Watches a client id that the user has given. Two clients with one id throw each other out for ever, each
 * losing half of its messages; the one that was thrown out twice within 10 s stands back for 30 s.
 */
export class TakeOvers {
  readonly #clientId: string | undefined
  #lastMs = -Infinity
  #truceUntilMs = -Infinity

  constructor(clientId: string | undefined) {
    this.#clientId = clientId
  }

  /** Notes how a connection ended: its protocol, the code in the broker's last words, how long it lasted. */
  note(protocol: 4 | 5, code: unknown, lifeMs: number, nowMs: number): void {
    const isTakeOver = protocol === 5 ? code === SESSION_TAKEN_OVER : lifeMs < SHORT_LIFE_MS
    if (this.#clientId === undefined || !isTakeOver) return
    const isSecond = nowMs - this.#lastMs <= WINDOW_MS
    if (isSecond) this.#truceUntilMs = nowMs + TRUCE_MS
    this.#lastMs = isSecond ? -Infinity : nowMs
  }

  /** Throws `TRANSPORT_FAILED` while the id is left to the other client. */
  check(nowMs: number): void {
    if (nowMs >= this.#truceUntilMs) return
    const advice = 'give each client an id of its own, or none'
    const times = `twice within ${WINDOW_MS / 1000} s`
    throw failed(`Another client took the MQTT client id "${this.#clientId}" over, ${times}; ${advice}.`)
  }
}
