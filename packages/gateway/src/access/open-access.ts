import { ApiError } from '../base/problem.ts'
import { isForwarded } from './forwarding.ts'

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
): (request: Request) => void {
  const hosts = new Set([...OWN_NAMES, ...allowedHosts.map((host) => host.toLowerCase())])
  return (request) => {
    if (isForwarded(request.headers)) throw new ApiError('forwarded')
    const { hostname, origin: own } = new URL(request.url)
    const origin = request.headers.get('origin')
    const site = request.headers.get('sec-fetch-site')
    const isListed = origin !== null && corsOrigins.includes(origin)
    const isForeign = origin !== null && origin !== own
    const isCrossSite = site !== null && !HARMLESS_SITES.includes(site)
    if (!hosts.has(hostname)) throw new ApiError('foreignSite')
    if (!isListed && (isForeign || isCrossSite)) throw new ApiError('foreignSite')
  }
}
