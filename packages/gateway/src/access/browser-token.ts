import type { JWTPayload, JWTVerifyResult } from 'jose'
import type { KeyRing, VerifiedKey } from './api-key.ts'
import { type Permission, permissionOf } from './grant.ts'

/** What a token allows, and until when. */
export interface TokenRights {
  readonly key: VerifiedKey
  readonly may: Permission
  readonly expiresMs: number
}

const LONGEST_LIFE_SECONDS = 3600

/**
 * Verifies a browser token: a JWT signed by HS256 with an API key's secret, whose `kid` is the key's sid, whose
 * `exp` is at most an hour away, and whose claim `grants` lists what it allows, as far as the key does.
 * Gives `undefined` for anything else.
 */
export async function verifyToken(
  token: string,
  keys: KeyRing,
  nowMs: number,
): Promise<TokenRights | undefined> {
  // Loaded when the first token comes: most gateways see none, and the package is an ES module only.
  const { jwtVerify } = await import('jose')
  let key: VerifiedKey | undefined
  try {
    const verified = await jwtVerify(
      token,
      ({ kid }) => {
        key = keys.signer(kid ?? '')
        if (key === undefined) throw new Error('no such key')
        return key.secretBytes
      },
      { algorithms: ['HS256'], requiredClaims: ['exp', 'grants'], currentDate: new Date(nowMs) },
    )
    return key && rightsOf(verified, key, nowMs)
  } catch {
    return undefined
  }
}

function rightsOf(
  { payload }: JWTVerifyResult<JWTPayload>,
  key: VerifiedKey,
  nowMs: number,
): TokenRights | undefined {
  const expiresMs = (payload.exp as number) * 1000
  if (expiresMs - nowMs > LONGEST_LIFE_SECONDS * 1000) return undefined
  const granted = permissionOf(payload.grants)
  return {
    key,
    expiresMs,
    may: (action, service, stream) => granted(action, service, stream) && key.may(action, service, stream),
  }
}
