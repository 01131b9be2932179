import type { HubConfigObject, LimitOptions } from 'rivulet'
import { invalid } from '../base/invalid.ts'
import { isObject } from '../base/options.ts'

/** How the command's hubs are opened; without a transport they are local. */
export type ServiceSettings = Partial<HubConfigObject>

/** The settings of each service by its sid. */
export type ServicesSettings = Readonly<Record<string, ServiceSettings>>

const DEFAULT_PORTS: Readonly<Record<string, number>> = {
  'nats:': 4222,
  'tls:': 4222,
  'mqtt:': 1883,
  'mqtts:': 8883,
  'mqtt+ws:': 80,
  'mqtt+wss:': 443,
  'redis:': 6379,
  'rediss:': 6379,
  'valkey:': 6379,
  'valkeys:': 6379,
  'redis-sentinel:': 26379,
  'rediss-sentinel:': 26379,
  'valkey-sentinel:': 26379,
  'valkeys-sentinel:': 26379,
}

/**
 * Gives each hub without a name that of its service's sid: two services on one broker would otherwise get each
 * other's messages. A name may also be in a URL, as `?name=`.
 */
export function namedBySid(services: ServicesSettings): ServicesSettings {
  return Object.fromEntries(
    Object.entries(services).map(([sid, service]) => {
      return [sid, nameOf(service) === undefined ? { ...service, name: sid } : service]
    }),
  )
}

/** Sets the limit of all streams, as far as a service does not set that of its own. */
export function limitedBy(limit: LimitOptions, services: ServicesSettings): ServicesSettings {
  if (limit.ratePerSecond === undefined && limit.burst === undefined) return services
  return Object.fromEntries(
    Object.entries(services).map(([sid, service]) => {
      const own = service.streamDefaults?.limit
      // `false`, or nothing that opening the hub would take.
      if (own !== undefined && !isObject(own)) return [sid, service]
      const streamDefaults = { ...service.streamDefaults, limit: { ...limit, ...own } }
      return [sid, { ...service, streamDefaults }]
    }),
  )
}

/** Throws `INVALID_OPTIONS` for services that would get each other's messages: on one broker, by one name. */
export function checkApart(services: ServicesSettings): void {
  const taken = new Map<string, string>()
  for (const [sid, service] of Object.entries(services)) {
    for (const address of addressesOf(service)) {
      const place = `${address} ${nameOf(service) ?? 'default'}`
      const other = taken.get(place)
      if (other !== undefined && other !== sid) {
        throw invalid(
          `The services ${other} and ${sid} have one transport and one name; give each a name of its own.`,
        )
      }
      taken.set(place, sid)
    }
  }
}

/** Gives the name of a service's hub, where it has one; it may be in a URL, as `?name=`. */
export function nameOf(service: ServiceSettings): string | undefined {
  const inUrls = urlsOf(service).map((url) => /[?&]name=([^&]*)/.exec(url)?.[1])
  return service.name ?? inUrls.find((name) => name !== undefined)
}

/** Servers of one cluster share everything, and so do all users of one. */
function addressesOf(service: ServiceSettings): string[] {
  return urlsOf(service).map((url) => {
    // Several Sentinels in one URL; of others, opening the hub says what is wrong with them.
    if (!URL.canParse(url)) return url
    const { protocol, host, port, pathname } = new URL(url)
    if (host === '') return `${protocol}${pathname}`
    return `${host.toLowerCase()}${port === '' ? `:${DEFAULT_PORTS[protocol]}` : ''}`
  })
}

function urlsOf({ transport }: ServiceSettings): string[] {
  return [transport].flat().filter((url) => typeof url === 'string')
}
