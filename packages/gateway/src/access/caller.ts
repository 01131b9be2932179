import type { Permission } from './grant.ts'

/** Who asks. */
export interface Caller {
  /** The sid of the key, also behind a token; `'open'` where no keys are needed. */
  readonly keySid: string
  /** The user that an access token names. */
  readonly identity: string | undefined
  /** The only service of an access token. */
  readonly serviceSid: string | undefined
  /** Whom limits count beside the key: the key itself, or a token or an identity of it. */
  readonly holder: string
  /** What is allowed. Nothing any more, once the key is gone or has changed. */
  readonly may: Permission
  /** When the token is not accepted any more, for one who came with a token. */
  readonly expiresMs: number | undefined
}

/** Whoever asks a gateway without keys. */
export const OPEN_CALLER: Caller = Object.freeze({
  keySid: 'open',
  identity: undefined,
  serviceSid: undefined,
  holder: 'open',
  may: () => true,
  expiresMs: undefined,
})
