import type { Authenticator, NatsConnection } from '@nats-io/transport-node'
import { type Answered, DEFAULT_TIMEOUTS, type FormOf, type Given, given } from 'rivulet/adapter'

/** As whom to connect. */
export interface Credentials {
  readonly user: Given<string> | undefined
  readonly password: Given<string> | undefined
  readonly token: Given<string> | undefined
}

const text: FormOf = (value) => typeof value !== 'string' && 'a text'
const FORMS = { user: text, password: text, token: text }
const { dialMs } = DEFAULT_TIMEOUTS

/** Asks functions for credentials at each dial of a client that dials by itself. */
export class NatsCredentials {
  readonly #credentials: Credentials
  readonly #life = new AbortController()
  #answered: Answered<Credentials> | undefined
  #isAsking = false

  constructor(credentials: Credentials) {
    this.#credentials = credentials
  }

  /** Asks for the first time. Rejects `TRANSPORT_UNAVAILABLE` when a function gives no text. */
  async ask(): Promise<void> {
    this.#answered = await given(this.#credentials, FORMS, { dialMs, signal: this.#life.signal })
  }

  /** Gives the client the latest answers: it waits for none. */
  readonly authenticator: Authenticator = () => {
    const { user, password, token } = this.#answered ?? {}
    const auth = { user, pass: password, auth_token: token }
    return Object.fromEntries(Object.entries(auth).filter(([, value]) => value !== undefined)) as never
  }

  /** Asks at each dial of the connection, until it is closed. An answer that comes too late for one is for the next. */
  async follow(connection: NatsConnection): Promise<void> {
    for await (const { type } of connection.status()) if (type === 'reconnecting') void this.#askAgain()
    this.#life.abort()
  }

  async #askAgain(): Promise<void> {
    if (this.#isAsking) return
    this.#isAsking = true
    // When a function fails the client dials with the answer before, and asks again at its next dial.
    await this.ask().catch(() => {})
    this.#isAsking = false
  }
}
