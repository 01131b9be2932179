import type { Hub } from './hub.ts'
import { type HubConfig, type OpenOptions, openHubWith, type TransportPackage } from './opening.ts'

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

function fail(cause: unknown): never {
  throw cause
}
