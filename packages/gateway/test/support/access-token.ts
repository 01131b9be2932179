import { SignJWT } from 'jose'
import twilio from 'twilio'
import { ACCOUNT, SERVICE } from './served-gateway.ts'

const { AccessToken } = twilio.jwt

/** An API key that signs tokens. */
export const SIGNER = { sid: `SK${'5'.repeat(32)}`, secret: 'a-secret-of-at-least-32-characters' }

export interface AccessTokenParts {
  readonly account?: string
  readonly key?: string
  readonly secret?: string
  readonly identity?: string
  readonly service?: string
  /** Seconds; the package's own default when it is left out. */
  readonly ttl?: number
  /** Seconds since 1970. */
  readonly nbf?: number
  readonly algorithm?: 'HS256' | 'HS384' | 'HS512'
}

/** Makes a token with Twilio's own package, as an application's server does. */
export function accessToken(parts: AccessTokenParts = {}): string {
  const { account = ACCOUNT, key = SIGNER.sid, secret = SIGNER.secret, service = SERVICE } = parts
  const { identity = 'alice', ttl, nbf, algorithm } = parts
  const options = { identity, ...(ttl !== undefined && { ttl }), ...(nbf !== undefined && { nbf }) }
  const token = new AccessToken(account, key, secret, options)
  token.addGrant(new AccessToken.SyncGrant({ serviceSid: service }))
  return token.toJwt(algorithm)
}

export interface AccessTokenPayload {
  readonly iss?: unknown
  readonly sub?: unknown
  readonly exp?: unknown
  readonly nbf?: unknown
  readonly grants?: unknown
}

/** Makes a token that Twilio's package would not make: rightly signed, but for what is given. */
export function forgedAccessToken(
  header: object,
  payload: AccessTokenPayload = {},
  secret: Parameters<SignJWT['sign']>[0] = bytes(SIGNER.secret),
) {
  const exp = Math.floor(Date.now() / 1000) + 600
  const grants = { identity: 'alice', data_sync: { service_sid: SERVICE } }
  return new SignJWT({ iss: SIGNER.sid, sub: ACCOUNT, exp, grants, ...payload } as never)
    .setProtectedHeader({ alg: 'HS256', typ: 'JWT', cty: 'twilio-fpa;v=1', ...header })
    .sign(secret, { crit: { x: true } })
}

function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text)
}
