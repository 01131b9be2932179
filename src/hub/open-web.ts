import type { Transport } from '../connection/transport.ts'
import type { Hub } from './hub.ts'
import {
  type HubConfig,
  loadTransportOf,
  type OpenOptions,
  openHubWith,
  type TransportPackage,
} from './open.ts'

const PACKAGES: readonly TransportPackage[] = [
  { name: '@rivulet/memory', schemes: ['memory:'], load: () => import('@rivulet/memory').catch(fail) },
  { name: '@rivulet/threads', schemes: ['threads:'], load: () => import('@rivulet/threads').catch(fail) },
  {
    name: '@rivulet/websocket',
    schemes: ['ws:', 'wss:'],
    load: () => import('@rivulet/websocket').catch(fail),
  },
]

/**
 * Opens a hub in a browser or a worker: `memory:`, `threads:`, `ws:` and `wss:`. Other packages need Node and are left
 * out of bundles; pass another transport as an object.
 */
export function openHub(config: HubConfig, options?: OpenOptions): Promise<Hub> {
  return openHubWith(PACKAGES, config, options)
}

/**
 * Makes the transport of a URL, or of several of one scheme, as `openHub` does, without a hub: to put another transport
 * around it. `?name=` has no meaning here. Rejects `INVALID_OPTIONS`, `TRANSPORT_MISSING`.
 */
export function loadTransport(urls: string | readonly string[]): Promise<Transport> {
  return loadTransportOf(PACKAGES, urls)
}

function fail(cause: unknown): never {
  throw cause
}
