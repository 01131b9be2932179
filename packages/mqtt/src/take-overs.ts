import { failed } from './refusal.ts'

const SESSION_TAKEN_OVER = 142 // MQTT 5, 3.14.2.1
const WINDOW_MS = 10_000
const TRUCE_MS = 30_000
// Under 3.1.1 a broker disconnects without a reason; a connection that lasted this long was not taken over.
const SHORT_LIFE_MS = 2_000

/**
 * Detects two clients with one client id that the user has given. They disconnect each other forever, each losing half
 * of its messages; a client that was disconnected twice within 10 s stays away for 30 s.
 */
export class TakeOvers {
  readonly #clientId: string | undefined
  #lastMs = -Infinity
  #truceUntilMs = -Infinity

  constructor(clientId: string | undefined) {
    this.#clientId = clientId
  }

  /** Records the end of a connection: its protocol, the code of the broker's DISCONNECT, its lifetime. */
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
