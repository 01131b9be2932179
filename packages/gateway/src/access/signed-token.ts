import type { JWTPayload, JWTVerifyOptions } from 'jose'
import type { KeyRing, VerifiedKey } from './key-ring.ts'

/** A token whose signature and times are right. */
export interface SignedToken {
  readonly key: VerifiedKey
  readonly payload: JWTPayload
  readonly expiresMs: number
}

/** What a token says of itself before anything of it is verified. */
export interface TokenClaims {
  /** The content type in its header. */
  readonly cty: unknown
  /** The key in its header. */
  readonly kid: unknown
  /** The issuer in its payload. */
  readonly iss: unknown
}

/** How a token is verified. */
export interface TokenRules {
  /** The sid of the key that should have signed it. */
  readonly keySid: unknown
  readonly keys: KeyRing
  readonly nowMs: number
  /** How far the clock of the signer may be off, either way. */
  readonly leewaySeconds: number
}

const LONGEST_LIFE_SECONDS = 3600
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
 * Verifies that an API key signed the token by HS256, and that it ends within an hour. Tells a token that was right
 * once from one that never was.
 */
export async function verifySigned(
  token: string,
  rules: TokenRules,
): Promise<SignedToken | 'invalid' | 'expired'> {
  const { keys, keySid, leewaySeconds, nowMs } = rules
  const key = typeof keySid === 'string' ? keys.signer(keySid) : undefined
  if (key === undefined) return 'invalid'
  // Loaded when the first token comes: most gateways see none, and the package is an ES module only.
  const { jwtVerify, errors } = await import('jose')
  const options: JWTVerifyOptions = {
    algorithms: ['HS256'],
    requiredClaims: ['exp', 'grants'],
    clockTolerance: leewaySeconds,
    currentDate: new Date(nowMs),
  }
  try {
    const { payload } = await jwtVerify(token, key.secretBytes, options)
    const expiresMs = ((payload.exp as number) + leewaySeconds) * 1000
    const isTooLong = expiresMs - nowMs > (LONGEST_LIFE_SECONDS + 2 * leewaySeconds) * 1000
    // The keys may have been replaced while the signature was checked.
    return isTooLong || keys.signer(key.sid) !== key ? 'invalid' : { key, payload, expiresMs }
  } catch (error) {
    return error instanceof errors.JWTExpired ? 'expired' : 'invalid'
  }
}

/** Tells the signature apart from those of other tokens. Without its last character, two bits of which are unused. */
export function signatureOf(token: string): string {
  return token.slice(token.lastIndexOf('.') + 1, -1)
}
