import type { GatewayLog } from '../base/gateway-log.ts'
import { ApiError, PROBLEMS } from '../base/problem.ts'
import { type Caller, OPEN_CALLER } from './caller.ts'
import type { FailedLogins } from './failed-logins.ts'
import type { KeyRing } from './key-ring.ts'
import { forwardedAddress } from './open-access.ts'
import {
  ACCESS_TOKEN_TYPE,
  claimsOf,
  TOO_LONG,
  type TokenResult,
  verifyAccessToken,
  verifyBrowserToken,
} from './token.ts'

/** The settings that authenticate requests. */
export interface Access {
  readonly isOpen: boolean
  readonly keys: KeyRing
  readonly failedLogins: FailedLogins
  readonly services: ReadonlyMap<string, unknown>
  readonly corsOrigins: readonly string[]
  readonly publicUrl: string | undefined
  readonly maxTokenLifeSeconds: number
  readonly log: GatewayLog
}

const BASIC = { 'www-authenticate': 'Basic realm="Rivulet"' }
const BEARER = { 'www-authenticate': 'Bearer realm="Rivulet"' }
const WRONG_TOKEN = { 'www-authenticate': 'Bearer error="invalid_token"' }

/**
 * Finds out who asks over REST: by HTTP Basic, a bearer token, or the query parameter `token`. Throws 20003, and
 * what `basicCaller` does.
 */
export function callerOf(head: RequestHead, access: Access, nowMs: number): Caller | Promise<Caller> {
  if (access.isOpen) return OPEN_CALLER
  const authorization = head.header('authorization') ?? undefined
  if (authorization !== undefined && !hasScheme(authorization, 'bearer ')) {
    return basicCaller(authorization, access, head, nowMs)
  }
  const token = authorization?.slice('bearer '.length).trim() ?? tokenInQuery(head.url)
  if (token === undefined) throw unauthenticated(head)
  return tokenCaller(token, access, nowMs)
}

/**
 * Finds the key of an `Authorization` header with HTTP Basic. Throws 20003; 20403 for a page of another site, whose
 * browser may have sent credentials that it keeps; 20429 after too many wrong passwords.
 */
export function basicCaller(authorization: string, access: Access, head: RequestHead, nowMs: number): Caller {
  const { keys, failedLogins } = access
  const credentials = hasScheme(authorization, 'basic ')
    ? decodeBasic(authorization.slice('basic '.length))
    : undefined
  if (credentials === undefined) throw unauthenticated(head)
  if (isCrossSite(head, access)) throw new ApiError(PROBLEMS.crossSite)
  const { sid, secret } = credentials
  const attempt = { clientAddress: addressOf(head, access), sid }
  const waitMs = failedLogins.waitMs(attempt, nowMs)
  if (waitMs > 0)
    throw new ApiError(PROBLEMS.tooManyFailures, { 'retry-after': String(Math.ceil(waitMs / 1000)) })
  const key = keys.verify(sid, secret)
  if (key !== undefined) return key.caller
  failedLogins.add(attempt, keys.has(sid) ? sid : undefined, nowMs)
  throw unauthenticated(head)
}

/** With a public URL there is a proxy, from which all connections come. */
function addressOf({ clientAddress, header }: RequestHead, { publicUrl }: Access): string | undefined {
  if (publicUrl === undefined) return clientAddress
  return forwardedAddress(header('x-forwarded-for')) ?? clientAddress
}

async function tokenCaller(token: string, access: Access, nowMs: number): Promise<Caller> {
  const result = await callerOfToken(token, access, nowMs)
  if (!result.ok) throw new ApiError(PROBLEMS.unauthenticated, WRONG_TOKEN)
  return result.caller.identity === undefined ? result.caller : withoutManaging(result.caller)
}

/** Verifies a token of either form. Writes to the log why a rightly signed one is refused. */
export async function callerOfToken(token: string, access: Access, nowMs: number): Promise<TokenResult> {
  const { keys, services, maxTokenLifeSeconds, log } = access
  const claims = await claimsOf(token)
  if (claims === undefined) return { ok: false, reason: 'invalid' }
  const result =
    claims.cty === ACCESS_TOKEN_TYPE
      ? await verifyAccessToken(token, keys, services, keys.accountSid, nowMs, maxTokenLifeSeconds)
      : await verifyBrowserToken(token, claims.kid, keys, nowMs, maxTokenLifeSeconds)
  if (!result.ok && result.reason === 'tooLong') log.warn({ maxTokenLifeSeconds }, TOO_LONG)
  return result
}

/** Over REST, managing stays with keys: Twilio's access tokens are for its client SDKs only. */
function withoutManaging(caller: Caller): Caller {
  return {
    ...caller,
    may: (action, service, stream) => action !== 'manage' && caller.may(action, service, stream),
  }
}

/** A browser that was asked for a password would keep it, and send it for pages of any site. */
function unauthenticated(head: RequestHead): ApiError {
  return new ApiError(PROBLEMS.unauthenticated, isFromBrowser(head) ? BEARER : BASIC)
}

/** Returns whether a page of another site had the request sent. Without its origin it can't be a listed one. */
export function isCrossSite(head: RequestHead, { corsOrigins, publicUrl }: Access): boolean {
  const origin = head.header('origin') ?? undefined
  const site = head.header('sec-fetch-site') ?? undefined
  if (origin === undefined && site === undefined) return false
  const isListed = origin !== undefined && (corsOrigins.includes('*') || corsOrigins.includes(origin))
  if (isListed || site === 'same-origin' || site === 'none') return false
  if (site !== undefined || origin === undefined) return true
  // Of older browsers. The scheme is left out, since a proxy may have taken TLS off.
  return ![head.url, publicUrl].some((own) => own !== undefined && hostOf(own) === hostOf(origin))
}

function hostOf(url: string): string {
  return originOf(`${url}/`).slice(url.indexOf('://') + 3)
}

function tokenInQuery(url: string): string | undefined {
  if (!url.includes('token=')) return undefined
  return new URL(url).searchParams.get('token') ?? undefined
}

/** Returns whether a header starts with a scheme, given in lower case and with a space after it. */
function hasScheme(authorization: string, scheme: string): boolean {
  return authorization.slice(0, scheme.length).toLowerCase() === scheme
}

/** RFC 7617: the sid ends at the first colon; the secret may hold more of them. */
function decodeBasic(encoded: string): { readonly sid: string; readonly secret: string } | undefined {
  try {
    const text = utf8Of(atob(encoded))
    const colon = text.indexOf(':')
    return colon === -1 ? undefined : { sid: text.slice(0, colon), secret: text.slice(colon + 1) }
  } catch {
    return undefined
  }
}

/** Most credentials are ASCII, where a byte is a character. */
function utf8Of(binary: string): string {
  if (!/[^\0-\x7f]/.test(binary)) return binary
  return new TextDecoder().decode(Uint8Array.from(binary, (character) => character.charCodeAt(0)))
}

/** The parts of a request that authentication reads. */
export interface RequestHead {
  /** Absolute. */
  readonly url: string
  /** The address of the client, where the server gives it. */
  readonly clientAddress: string | undefined
  /** Gives a header by its name in lower case. */
  header(name: string): string | null | undefined
}

// Sent by browsers: the first to HTTPS and to this machine only, the last when a page is opened over HTTP.
const OF_BROWSERS = ['sec-fetch-site', 'origin', 'upgrade-insecure-requests']

/** Reads the head of a web-standard request. */
export function headOf(
  request: Pick<Request, 'url' | 'headers'>,
  clientAddress: string | undefined,
): RequestHead {
  return { url: request.url, clientAddress, header: (name) => request.headers.get(name) }
}

/** Returns whether a browser sent the request. Node's `fetch` has a `Sec-Fetch-Mode`, too, which is `cors`. */
function isFromBrowser(head: RequestHead): boolean {
  const isGiven = (name: string) => (head.header(name) ?? undefined) !== undefined
  return OF_BROWSERS.some(isGiven) || (head.header('sec-fetch-mode') ?? 'cors') !== 'cors'
}

/** Gives the scheme, host and port that a request was sent to. */
export function originOf(url: string): string {
  return url.slice(0, url.indexOf('/', url.indexOf('://') + 3))
}
