import type { Caller } from './caller.ts'
import { permissionOf } from './grant.ts'
import type { KeyRing } from './key-ring.ts'
import { signatureOf, verifySigned } from './signed-token.ts'

/**
 * Verifies a browser token: a JWT signed by HS256 with an API key's secret, whose `kid` is the key's sid, whose
 * `exp` is at most an hour away, and whose claim `grants` lists what it allows, as far as the key does.
 * Gives `undefined` for anything else.
 */
export async function verifyBrowserToken(
  token: string,
  kid: unknown,
  keys: KeyRing,
  nowMs: number,
): Promise<Caller | undefined> {
  const signed = await verifySigned(token, { keySid: kid, keys, nowMs, leewaySeconds: 0 })
  if (typeof signed === 'string') return undefined
  const { key, payload, expiresMs } = signed
  try {
    const granted = permissionOf(payload.grants)
    return {
      keySid: key.sid,
      identity: undefined,
      serviceSid: undefined,
      holder: `${key.sid}/${signatureOf(token)}`,
      may: (action, service, stream) => granted(action, service, stream) && key.may(action, service, stream),
      expiresMs,
    }
  } catch {
    return undefined
  }
}
