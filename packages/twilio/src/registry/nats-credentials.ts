import type { Authenticator, NatsConnection } from '@nats-io/transport-node'
import { DEFAULT_TIMEOUTS, type FormOf, type Given, given, type Resolved } from 'rivulet/adapter'

/** The credentials to connect with. */
export interface Credentials {
  readonly user: Given<string> | undefined
  readonly password: Given<string> | undefined
  readonly token: Given<string> | undefined
}

const text: FormOf = (value) => typeof value !== 'string' && 'a text'
const FORMS = { user: text, password: text, token: text }
const { dialMs } = DEFAULT_TIMEOUTS

/** Calls the functions for credentials at each dial of a client that dials by itself. */
export class NatsCredentials {
  readonly #credentials: Credentials
  readonly #life = new AbortController()
  #answered: Resolved<Credentials> | undefined
  #isAsking = false

  constructor(credentials: Credentials) {
    this.#credentials = credentials
  }

  /** Calls the functions and keeps their values. Rejects `TRANSPORT_UNAVAILABLE` when one returns no text. */
  async ask(): Promise<void> {
    this.#answered = await given(this.#credentials, FORMS, { dialMs, signal: this.#life.signal })
  }

  /** Returns the latest values at once, since the client does not wait. */
  readonly authenticator: Authenticator = () => {
    const { user, password, token } = this.#answered ?? {}
    const auth = { user, pass: password, auth_token: token }
    return Object.fromEntries(Object.entries(auth).filter(([, value]) => value !== undefined)) as never
  }

  /** Calls the functions at each dial, until the connection is closed. A value that comes too late is for the next. */
  async follow(connection: NatsConnection): Promise<void> {
    for await (const { type } of connection.status()) if (type === 'reconnecting') void this.#askAgain()
    this.#life.abort()
  }

  async #askAgain(): Promise<void> {
    if (this.#isAsking) return
    this.#isAsking = true
    // When a function fails the client dials with the values from before; its next dial calls the functions again.
    await this.ask().catch(() => {})
    this.#isAsking = false
  }
}
