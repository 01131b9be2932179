import type { GatewayLog } from '../base/gateway-log.ts'

// RFC 7239, RFC 9110 7.6.3, and what proxies send without an RFC.
const OF_PROXIES = ['forwarded', 'via', 'x-real-ip']
const USUAL = [...OF_PROXIES, 'x-forwarded-for', 'x-forwarded-proto', 'x-forwarded-host']
const ADVICE =
  'a proxy forwards requests, but there is no public URL: the URLs in answers are made from the Host header and ' +
  'may be http://, where SDKs would send their credentials. Give --public-url (publicUrl).'

/** Tells whether a proxy says that it has forwarded the request. */
export function isForwarded(headers: Headers): boolean {
  let isFound = false
  headers.forEach((_value, name) => {
    isFound ||= name.startsWith('x-forwarded-') || OF_PROXIES.includes(name)
  })
  return isFound
}

/** Looks at the headers of a request, given by their names in lower case. */
export type NoteForwarding = (header: (name: string) => string | undefined) => void

/** Gives the address that the nearest proxy names, the last one in the list (what stands before it, clients may make up). */
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
