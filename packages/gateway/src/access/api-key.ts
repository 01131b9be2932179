import type { Grant } from './grant.ts'

/** Credentials of somebody who may ask: an account with its token, or an API key with its secret. */
export interface ApiKey {
  /** `AC` (account) or `SK` (API key) and 32 hex digits. Only API keys can sign browser tokens and access tokens. */
  readonly sid: string
  /** The auth token or the secret. To sign tokens it needs 32 characters or more. */
  readonly secret: string
  /** What it allows. @default everything */
  readonly grants?: readonly Grant[]
}
