import { ApiError } from '../base/problem.ts'
import type { KeyRing } from './api-key.ts'
import { verifyToken } from './browser-token.ts'
import type { Permission } from './grant.ts'

/** Who asks. */
export interface Caller {
  /** The sid of the key, also behind a token; `'open'` where no keys are needed. */
  readonly keySid: string
  /** The identity that a Twilio access token names. */
  readonly identity: string | undefined
  readonly may: Permission
  /** When the token ends, for one who came with a token. */
  readonly expiresMs: number | undefined
}

const OPEN_CALLER: Caller = { keySid: 'open', identity: undefined, may: () => true, expiresMs: undefined }
const BASIC = { 'www-authenticate': 'Basic realm="Rivulet"' }
const BEARER = { 'www-authenticate': 'Bearer error="invalid_token"' }

/** Finds out who asks: by HTTP Basic, a bearer token, or the query parameter `token`. Throws 20003. */
export function callerOf(request: Request, keys: KeyRing, nowMs: number): Caller | Promise<Caller> {
  if (keys.isEmpty) return OPEN_CALLER
  const authorization = request.headers.get('authorization')
  if (authorization === null) return tokenCaller(tokenInQuery(request.url), keys, nowMs)
  const [scheme = '', value = ''] = authorization.split(' ', 2)
  if (/^bearer$/i.test(scheme)) return tokenCaller(value, keys, nowMs)
  return basicCaller(authorization, keys)
}

/** Finds out who asks by HTTP Basic. Throws 20003. */
export function basicCaller(authorization: string, keys: KeyRing): Caller {
  const [scheme = '', value = ''] = authorization.split(' ', 2)
  const [sid, secret] = /^basic$/i.test(scheme) ? decodeBasic(value) : []
  const key = sid === undefined || secret === undefined ? undefined : keys.verify(sid, secret)
  if (key === undefined) throw new ApiError('unauthenticated', BASIC)
  return { keySid: key.sid, identity: undefined, may: key.may, expiresMs: undefined }
}

async function tokenCaller(token: string | undefined, keys: KeyRing, nowMs: number): Promise<Caller> {
  if (token === undefined) throw new ApiError('unauthenticated', BASIC)
  const rights = await verifyToken(token, keys, nowMs)
  if (rights === undefined) throw new ApiError('unauthenticated', BEARER)
  return { keySid: rights.key.sid, identity: undefined, may: rights.may, expiresMs: rights.expiresMs }
}

function tokenInQuery(url: string): string | undefined {
  if (!url.includes('token=')) return undefined
  return new URL(url).searchParams.get('token') ?? undefined
}

/** RFC 7617: the sid ends at the first colon; the secret may hold more of them. */
function decodeBasic(encoded: string): [sid: string, secret: string] | [] {
  try {
    const text = utf8Of(atob(encoded))
    const colon = text.indexOf(':')
    return colon === -1 ? [] : [text.slice(0, colon), text.slice(colon + 1)]
  } catch {
    return []
  }
}

/** Most credentials are ASCII, where a byte is a character. */
function utf8Of(binary: string): string {
  if (!/[^\0-\x7f]/.test(binary)) return binary
  return new TextDecoder().decode(Uint8Array.from(binary, (character) => character.charCodeAt(0)))
}
