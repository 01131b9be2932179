import { CLOSE } from '@rivulet/websocket/protocol'
import { LeakyBucket } from 'rivulet/adapter'
import type { Hello } from './hello.ts'
import type { EndPage, PageContext } from './page-context.ts'
import type { PageSession } from './session.ts'

/** Tokens that a page may send: three at once, then one in ten seconds. */
const TOKENS_PER_SECOND = 0.1
const TOKENS_AT_ONCE = 3

/** Authenticates a page, at its hello and with each new token, and holds its session. */
export class Admission {
  readonly hello: Hello
  readonly #context: PageContext
  readonly #end: EndPage
  readonly #tokens = new LeakyBucket(TOKENS_PER_SECOND, TOKENS_AT_ONCE)
  #session: PageSession | undefined
  #isRenewing = false
  #isOver = false

  constructor(hello: Hello, context: PageContext, end: EndPage) {
    this.hello = hello
    this.#context = context
    this.#end = end
  }

  get session(): PageSession | undefined {
    return this.#session
  }

  /** Milliseconds until the session ends; `undefined` when it never does. */
  get expiresInMs(): number | undefined {
    const { expiresMs } = this.#session ?? {}
    return expiresMs === undefined ? undefined : expiresMs - Date.now()
  }

  /** Checks the first token. Then `enter` is called, with the prefixes of the page's sids. */
  start(enter: (session: PageSession, prefixes: readonly string[]) => void): void {
    this.#check(this.hello.token, async (session) => {
      this.#session = session
      const prefixes = await this.#context.prefixes.of(session.prefixKey, this.hello)
      if (!this.#isOver) enter(session, prefixes)
    })
  }

  /** Checks a new token. Then `renewed` is called, with the new session. */
  renew(token: string, renewed: (session: PageSession) => void): void {
    if (this.#isRenewing || !this.#tokens.take(performance.now())) {
      return this.#end(CLOSE.later, 'too many tokens')
    }
    this.#isRenewing = true
    this.#check(token, (session) => {
      this.#isRenewing = false
      const old = this.#session
      if (old?.relay !== session.relay || old.identity !== session.identity) {
        this.#tellEnded(session)
        return this.#end(CLOSE.expired, 'the new token is of another identity')
      }
      this.#session = session
      if (old !== session) this.#tellEnded(old)
      renewed(session)
    })
  }

  /** The connection is over, and the session with it. */
  stop(): void {
    this.#isOver = true
    if (this.#session !== undefined) this.#tellEnded(this.#session)
  }

  #tellEnded(session: PageSession): void {
    try {
      session.ended?.()
    } catch (fault) {
      this.#context.log.warn({ fault }, 'the `ended` of a session threw')
    }
  }

  #check(token: string | undefined, take: (session: PageSession) => void | Promise<void>): void {
    const check = async () => {
      const result = await this.#context.authenticate({ hub: this.hello.hub, token }, this.#session)
      if ('refused' in result) return this.#end(result.isFinal ? CLOSE.refused : CLOSE.later, result.refused)
      if (this.#isOver) return result === this.#session ? undefined : this.#tellEnded(result)
      await take(result)
    }
    check().catch((cause: unknown) => this.#end(CLOSE.later, 'the server cannot check the token now', cause))
  }
}
