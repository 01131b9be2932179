import type { TransportPackage } from './transport-package.ts'

// The imports are literal, and have a `catch`, so that bundlers see packages that may be missing.
/** The transports of this repository. `#transport-packages` is this file in Node. */
export const TRANSPORT_PACKAGES: readonly TransportPackage[] = [
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

function fail(cause: unknown): never {
  throw cause
}
