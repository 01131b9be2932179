import type { Transport } from '../connection/transport.ts'
import type { Hub } from './hub.ts'
import {
  type HubConfig,
  loadTransportOf,
  type OpenOptions,
  openHubWith,
  type TransportPackage,
} from './open.ts'

// The imports are literal, and have a `catch`, so that bundlers see packages that may be missing.
const PACKAGES: readonly TransportPackage[] = [
  { name: '@rivulet/memory', schemes: ['memory:'], load: () => import('@rivulet/memory').catch(fail) },
  {
    name: '@rivulet/mqtt',
    schemes: ['mqtt:', 'mqtts:', 'mqtt+ws:', 'mqtt+wss:'],
    load: () => import('@rivulet/mqtt').catch(fail),
  },
  { name: '@rivulet/nats', schemes: ['nats:', 'tls:'], load: () => import('@rivulet/nats').catch(fail) },
  {
    name: '@rivulet/redis',
    schemes: [
      'redis:',
      'rediss:',
      'valkey:',
      'valkeys:',
      'redis-sentinel:',
      'rediss-sentinel:',
      'valkey-sentinel:',
      'valkeys-sentinel:',
    ],
    load: () => import('@rivulet/redis').catch(fail),
  },
  { name: '@rivulet/replay', schemes: ['replay:'], load: () => import('@rivulet/replay').catch(fail) },
  { name: '@rivulet/threads', schemes: ['threads:'], load: () => import('@rivulet/threads').catch(fail) },
  {
    name: '@rivulet/websocket',
    schemes: ['ws:', 'wss:'],
    load: () => import('@rivulet/websocket').catch(fail),
  },
]

/**
 * Opens a hub by configuration and resolves when it is ready. The scheme of the URL picks the package, which must be
 * installed: `memory:` @rivulet/memory; `mqtt:` `mqtts:` `mqtt+ws:` `mqtt+wss:` @rivulet/mqtt; `nats:` `tls:`
 * @rivulet/nats; `redis:` `rediss:` `valkey:` `valkeys:` and, with Sentinels, `redis-sentinel:` `rediss-sentinel:`
 * `valkey-sentinel:` `valkeys-sentinel:` @rivulet/redis; `replay:` @rivulet/replay, a recording; `threads:`
 * @rivulet/threads; `ws:` `wss:` @rivulet/websocket. `?name=` in a URL is the hub's name. With `{ wait: false }` it
 * resolves as soon as the package is loaded, and the hub keeps trying to connect. Rejects `INVALID_OPTIONS`;
 * `TRANSPORT_MISSING` when the package is not installed; `TRANSPORT_UNAVAILABLE` past `timeoutMs` with the last cause;
 * `TRANSPORT_FAILED` when the broker refuses for good; or with `signal.reason`. The hub is closed then.
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
