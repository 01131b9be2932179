import type { TransportPackage } from './transport-package.ts'

/** The transports that run in browsers and workers. `#transport-packages` is this file there. */
export const TRANSPORT_PACKAGES: readonly TransportPackage[] = [
  { name: '@rivulet/memory', schemes: ['memory:'], load: () => import('@rivulet/memory').catch(fail) },
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
