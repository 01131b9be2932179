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
 * Opens a hub by configuration, in a browser or a worker. Known there are `memory:` @rivulet/memory, `threads:`
 * @rivulet/threads and `ws:` `wss:` @rivulet/websocket, so that a bundler does not follow packages that need Node; pass another transport as an object.
 * Else as `openHub` in Node.
 */
export function openHub(config: HubConfig, options?: OpenOptions): Promise<Hub> {
  return openHubWith(PACKAGES, config, options)
}

function fail(cause: unknown): never {
  throw cause
}
