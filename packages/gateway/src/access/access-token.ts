import type { Caller } from './caller.ts'
import type { KeyRing } from './key-ring.ts'
import { claimsOf, type SignedToken, verifySigned } from './signed-token.ts'

/** What became of an access token. */
export type AccessTokenResult =
  | { readonly ok: true; readonly caller: Caller }
  | { readonly ok: false; readonly reason: 'invalid' | 'expired' }

/** The content type in the header of Twilio's access tokens. */
export const ACCESS_TOKEN_TYPE = 'twilio-fpa;v=1'

// Twilio's SDKs make tokens of an hour by default, which would be too long on a clock that is a little ahead.
const LEEWAY_SECONDS = 60
const MAX_IDENTITY_LENGTH = 256
const ACCOUNT_SID = /^AC[0-9a-fA-F]{32}$/
const INVALID: AccessTokenResult = Object.freeze({ ok: false, reason: 'invalid' })

/**
 * Verifies one of Twilio's access tokens with a `SyncGrant`, as `twilio.jwt.AccessToken` makes them: signed by HS256
 * with the secret of the API key in `iss`, for the account (any, when none is known), with an identity and one of
 * the services. It allows everything on that service that its key does. A minute of difference between clocks is
 * allowed for, also in `expiresMs`.
 */
export async function verifyAccessToken(
  token: string,
  keys: KeyRing,
  services: ReadonlyMap<string, unknown>,
  accountSid: string | undefined,
  nowMs: number,
): Promise<AccessTokenResult> {
  const claims = await claimsOf(token)
  if (claims?.cty !== ACCESS_TOKEN_TYPE) return INVALID
  const signed = await verifySigned(token, { keySid: claims.iss, keys, nowMs, leewaySeconds: LEEWAY_SECONDS })
  if (typeof signed === 'string') return { ok: false, reason: signed }
  const caller = callerIn(signed, services, accountSid)
  return caller === undefined ? INVALID : { ok: true, caller }
}

function callerIn(
  { key, payload, expiresMs }: SignedToken,
  services: ReadonlyMap<string, unknown>,
  accountSid: string | undefined,
): Caller | undefined {
  const sub: unknown = payload.sub
  const isAccount =
    accountSid === undefined ? typeof sub === 'string' && ACCOUNT_SID.test(sub) : sub === accountSid
  if (!isAccount) return undefined
  const identity = memberOf(payload.grants, 'identity')
  if (typeof identity !== 'string' || identity === '' || identity.length > MAX_IDENTITY_LENGTH)
    return undefined
  const serviceSid = serviceOf(memberOf(memberOf(payload.grants, 'data_sync'), 'service_sid'), services)
  if (serviceSid === undefined) return undefined
  return {
    keySid: key.sid,
    identity,
    serviceSid,
    holder: `${key.sid}/${identity}`,
    may: (action, service, stream) => service === serviceSid && key.may(action, service, stream),
    expiresMs,
  }
}

function serviceOf(given: unknown, services: ReadonlyMap<string, unknown>): string | undefined {
  if (given === 'default') return services.keys().next().value
  return typeof given === 'string' && services.has(given) ? given : undefined
}

function memberOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined
}
