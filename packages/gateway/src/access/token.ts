import type { JWTPayload, JWTVerifyOptions } from 'jose'
import type { Caller } from './caller.ts'
import { permissionOf } from './grant.ts'
import type { KeyRing, VerifiedKey } from './key-ring.ts'

/** The result of verifying a token. */
export type TokenResult =
  | { readonly ok: true; readonly caller: Caller }
  | { readonly ok: false; readonly reason: 'invalid' | 'expired' | 'tooLong' }

type TokenFailure = Extract<TokenResult, { readonly ok: false }>['reason']

/** The content type in the header of Twilio's access tokens. */
export const ACCESS_TOKEN_TYPE = 'twilio-fpa;v=1'

/** The default of the longest life of a token, in seconds. */
export const DEFAULT_TOKEN_LIFE_SECONDS = 3600
/** A day, as Twilio allows it. */
export const LONGEST_TOKEN_LIFE_SECONDS = 86_400
/** The line of the log for a rightly signed token that lives too long. Clients get no more than that it is not valid. */
export const TOO_LONG =
  'a rightly signed token was refused: it lives too long, or a clock is wrong; see maxTokenLifeSeconds'

// Twilio's SDKs make tokens of an hour by default, which would be too long on a clock that is a little ahead.
const LEEWAY_SECONDS = 60
/** The longest token in a message, in characters. The gateway's own are below a kilobyte. */
export const MAX_TOKEN_LENGTH = 8192
const MAX_IDENTITY_LENGTH = 256
const ACCOUNT_SID = /^AC[0-9a-fA-F]{32}$/
const INVALID: TokenResult = Object.freeze({ ok: false, reason: 'invalid' })

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
  maxLifeSeconds = DEFAULT_TOKEN_LIFE_SECONDS,
): Promise<TokenResult> {
  const claims = await claimsOf(token)
  if (claims?.cty !== ACCESS_TOKEN_TYPE) return INVALID
  const rules = { keySid: claims.iss, keys, nowMs, leewaySeconds: LEEWAY_SECONDS, maxLifeSeconds }
  const signed = await verifySigned(token, rules)
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
  if (!isIdentity(identity)) return undefined
  const serviceSid = serviceOf(memberOf(memberOf(payload.grants, 'data_sync'), 'service_sid'), services)
  if (serviceSid === undefined) return undefined
  return {
    keySid: key.sid,
    identity,
    subject: undefined,
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

/**
 * Verifies a browser token: a JWT signed by HS256 with an API key's secret, whose `kid` is the key's sid, whose
 * `exp` is at most `maxLifeSeconds` away, and whose claim `grants` lists what it allows, as far as the key does. Its `sub`, if
 * it has one, names the user.
 */
export async function verifyBrowserToken(
  token: string,
  kid: unknown,
  keys: KeyRing,
  nowMs: number,
  maxLifeSeconds = DEFAULT_TOKEN_LIFE_SECONDS,
): Promise<TokenResult> {
  const signed = await verifySigned(token, { keySid: kid, keys, nowMs, leewaySeconds: 0, maxLifeSeconds })
  if (typeof signed === 'string') return { ok: false, reason: signed }
  const { key, payload, expiresMs } = signed
  try {
    const granted = permissionOf(payload.grants)
    const caller: Caller = {
      keySid: key.sid,
      identity: undefined,
      subject: isIdentity(payload.sub) ? payload.sub : undefined,
      serviceSid: undefined,
      holder: `${key.sid}/${signatureOf(token)}`,
      may: (action, service, stream) => granted(action, service, stream) && key.may(action, service, stream),
      expiresMs,
    }
    return { ok: true, caller }
  } catch {
    return INVALID
  }
}

function isIdentity(value: unknown): value is string {
  return typeof value === 'string' && value !== '' && value.length <= MAX_IDENTITY_LENGTH
}

/** A token whose signature and times are right. */
export interface SignedToken {
  readonly key: VerifiedKey
  readonly payload: JWTPayload
  readonly expiresMs: number
}

/** Unverified claims of a token. */
export interface TokenClaims {
  /** The content type in its header. */
  readonly cty: unknown
  /** The key in its header. */
  readonly kid: unknown
  /** The issuer in its payload. */
  readonly iss: unknown
}

/** The settings by which a token is verified. */
export interface TokenRules {
  /** The sid of the key that should have signed it. */
  readonly keySid: unknown
  readonly keys: KeyRing
  readonly nowMs: number
  /** How far the clock of the signer may be off, either way. */
  readonly leewaySeconds: number
  readonly maxLifeSeconds: number
}

// So that an unknown key takes the time of a known one. Nothing that it signs is accepted.
const NO_KEY = new Uint8Array(32)
// Some decoders pass over other characters, so that one signature could be written in many ways.
const JWT = /^[\w-]+\.[\w-]+\.[\w-]+$/

/** Reads what a token says of itself, or gives `undefined` when it is none. */
export async function claimsOf(token: string): Promise<TokenClaims | undefined> {
  if (!JWT.test(token)) return undefined
  const { decodeJwt, decodeProtectedHeader } = await import('jose')
  try {
    const { cty, kid } = decodeProtectedHeader(token)
    return { cty, kid, iss: decodeJwt(token).iss }
  } catch {
    return undefined
  }
}

/**
 * Verifies that an API key signed the token by HS256, and that it ends soon enough. Its result tells a token that has
 * expired, and one that lives too long, from one that was never valid.
 */
async function verifySigned(token: string, rules: TokenRules): Promise<SignedToken | TokenFailure> {
  const { keys, keySid, leewaySeconds, maxLifeSeconds, nowMs } = rules
  const key = typeof keySid === 'string' ? keys.signer(keySid) : undefined
  // Loaded when the first token comes: most gateways see none, and the package is an ES module only.
  const { jwtVerify, errors } = await import('jose')
  const options: JWTVerifyOptions = {
    algorithms: ['HS256'],
    requiredClaims: ['exp', 'grants'],
    clockTolerance: leewaySeconds,
    currentDate: new Date(nowMs),
  }
  try {
    const { payload } = await jwtVerify(token, key?.secretBytes ?? NO_KEY, options)
    // The keys may have been replaced while the signature was checked.
    if (key === undefined || keys.signer(key.sid) !== key) return 'invalid'
    const expiresMs = ((payload.exp as number) + leewaySeconds) * 1000
    const isTooLong = expiresMs - nowMs > (maxLifeSeconds + 2 * leewaySeconds) * 1000
    return isTooLong ? 'tooLong' : { key, payload, expiresMs }
  } catch (error) {
    return key !== undefined && error instanceof errors.JWTExpired ? 'expired' : 'invalid'
  }
}

/** An id of the signature, to recognise its token. Without its last character, two bits of which are unused. */
function signatureOf(token: string): string {
  return token.slice(token.lastIndexOf('.') + 1, -1)
}
