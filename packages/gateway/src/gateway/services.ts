import type { Hub } from 'rivulet'
import { invalid } from '../base/invalid.ts'
import type { Relay } from '../pages/relay/relay.ts'

/** The options that say which hubs there are, and which of them pages may join. */
export interface ServicesOptions {
  /** The hub of the only service, whose sid is then `IS` and 32 zeros. */
  readonly hub?: Hub
  /** The hub of each service by its sid (`IS` and 32 hex digits). The first is also called `default`. */
  readonly services?: Readonly<Record<string, Hub>>
  /** The transport of `hub`, made by `relay()`: then pages may join it, at `/rivulet`. @default no pages */
  readonly relay?: Relay
  /** The transports of the hubs of `services` that pages may join, by the service's sid. Such hubs have other names. */
  readonly relays?: Readonly<Record<string, Relay>>
}

/** The sid of the service when none is given. */
export const DEFAULT_SERVICE_SID = `IS${'0'.repeat(32)}`
const SERVICE_SID = /^IS[0-9a-fA-F]{32}$/

/** Returns the hub of each service by its sid. Throws `INVALID_OPTIONS`. */
export function servicesOf({ hub, services }: ServicesOptions): ReadonlyMap<string, Hub> {
  if ((hub === undefined) === (services === undefined)) throw invalid('Give either a hub or services.')
  const map = new Map(hub === undefined ? Object.entries(services ?? {}) : [[DEFAULT_SERVICE_SID, hub]])
  if (map.size === 0) throw invalid('There is no service; name at least one.')
  // Their listeners would get each other's messages.
  if (new Set(map.values()).size < map.size) {
    throw invalid('Two services have the same hub; give each one of its own, with a name of its own.')
  }
  for (const sid of map.keys()) {
    if (!SERVICE_SID.test(sid)) throw invalid('The sid of a service is IS followed by 32 hex digits.')
  }
  return map
}

/** Returns the relays of services that pages may join, by the service's sid. Throws `INVALID_OPTIONS`. */
export function relaysOf(
  { hub, relay, relays = {} }: ServicesOptions,
  services: ReadonlyMap<string, Hub>,
): ReadonlyMap<string, Relay> {
  const given = relay === undefined ? Object.entries(relays) : [[DEFAULT_SERVICE_SID, relay] as const]
  if (relay !== undefined && (hub === undefined || Object.keys(relays).length > 0)) {
    throw invalid('A relay goes with hub, and relays with services.')
  }
  const names = given.map(([sid]) => services.get(sid)?.name)
  if (names.includes(undefined))
    throw invalid('There is a relay without a service; relays have the sids of services.')
  // A page says which hub it means by its name alone.
  if (new Set(names).size < names.length) {
    throw invalid('Two services that pages may join have hubs of one name; give each one of its own.')
  }
  return new Map(given)
}
