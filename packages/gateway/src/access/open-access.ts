import type { GatewayLog } from '../base/gateway-log.ts'
import { ApiError, PROBLEMS } from '../base/problem.ts'

const OWN_NAMES = ['localhost', '127.0.0.1', '[::1]']
const HARMLESS_SITES = ['same-origin', 'none']

/**
 * Makes the check of a gateway without keys, throwing 20403. A form on any web page could post to it, and a name
 * that an attacker points at 127.0.0.1 could read from it; so the host must be known, and the page its own. Behind
 * a proxy every client would look like one on this machine.
 */
export function openAccess(
  allowedHosts: readonly string[],
  corsOrigins: readonly string[],
): (request: Pick<Request, 'url' | 'headers'>) => void {
  const hosts = new Set([...OWN_NAMES, ...allowedHosts.map((host) => host.toLowerCase())])
  return (request) => {
    if (isForwarded(request.headers)) throw new ApiError(PROBLEMS.forwarded)
    const { hostname, origin: own } = new URL(request.url)
    const origin = request.headers.get('origin')
    const site = request.headers.get('sec-fetch-site')
    const isListed = origin !== null && corsOrigins.includes(origin)
    const isForeign = origin !== null && origin !== own
    const isCrossSite = site !== null && !HARMLESS_SITES.includes(site)
    if (!hosts.has(hostname)) throw new ApiError(PROBLEMS.foreignSite)
    if (!isListed && (isForeign || isCrossSite)) throw new ApiError(PROBLEMS.foreignSite)
  }
}

// RFC 7239, RFC 9110 7.6.3, and what proxies send without an RFC.
const OF_PROXIES = ['forwarded', 'via', 'x-real-ip']
const USUAL = [...OF_PROXIES, 'x-forwarded-for', 'x-forwarded-proto', 'x-forwarded-host']
const ADVICE =
  'a proxy forwards requests, but there is no public URL: the URLs in answers are made from the Host header and ' +
  'may be http://, where SDKs would send their credentials. Give --public-url (publicUrl).'

/** Returns whether a proxy says that it has forwarded the request. */
function isForwarded(headers: Headers): boolean {
  let isFound = false
  headers.forEach((_value, name) => {
    isFound ||= name.startsWith('x-forwarded-') || OF_PROXIES.includes(name)
  })
  return isFound
}

/** Looks at the headers of a request, given by their names in lower case. */
export type NoteForwarding = (header: (name: string) => string | undefined) => void

/** Gives the address that the nearest proxy names, the last one in the list (clients may make up those before it). */
export function forwardedAddress(forwardedFor: string | null | undefined): string | undefined {
  return forwardedFor?.split(',').at(-1)?.trim() || undefined
}

/** Makes a function that writes a warning at the first forwarded request, and then nothing any more. */
export function warnOfForwarding(log: GatewayLog): NoteForwarding {
  let isWarned = false
  return (header) => {
    // Asked at every request, so for the usual names only.
    if (isWarned || !USUAL.some((name) => header(name) !== undefined)) return
    isWarned = true
    log.warn({}, ADVICE)
  }
}
