import type { Permission } from './grant.ts'

/** The authenticated sender of a request. */
export interface Caller {
  /** The sid of the key, also behind a token; `'open'` where no keys are needed. */
  readonly keySid: string
  /** The user that an access token names. */
  readonly identity: string | undefined
  /** The user that a token with grants of its own names. */
  readonly subject: string | undefined
  /** The only service of an access token. */
  readonly serviceSid: string | undefined
  /** The name that limits per holder count: the key, the token, or the identity. */
  readonly holder: string
  /** The grants of the caller; none any more, once the key is gone or has changed. */
  readonly may: Permission
  /** The time at which the token expires, in milliseconds since 1970; `undefined` for a key. */
  readonly expiresMs: number | undefined
}

/** The sender of every request to a gateway without keys. */
export const OPEN_CALLER: Caller = Object.freeze({
  keySid: 'open',
  identity: undefined,
  subject: undefined,
  serviceSid: undefined,
  holder: 'open',
  may: () => true,
  expiresMs: undefined,
})
