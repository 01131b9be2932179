import { type Broker, startMosquitto, startNats } from './brokers.ts'
import { startGatewayOver, startGatewayProcess } from './gateway-process.ts'
import { REDIS_PROGRAMS, startRedis } from './redis-servers.ts'

/** A broker, and how a hub is told to use it. */
export interface BrokerKind {
  readonly kind: 'nats' | 'mqtt 5' | 'mqtt 3.1.1' | 'redis'
  readonly start: typeof startNats | typeof startMosquitto | typeof startRedis
  /** What the URL of the broker needs at its end. */
  readonly query: string
}

/** Every broker and protocol that the adapters speak. Threads have no broker; their faults are in packages/threads/test. */
export const BROKER_KINDS: readonly BrokerKind[] = [
  { kind: 'nats', start: startNats, query: '' },
  { kind: 'mqtt 5', start: startMosquitto, query: '?protocol=5' },
  { kind: 'mqtt 3.1.1', start: startMosquitto, query: '?protocol=4' },
  { kind: 'redis', start: startRedis, query: '' },
]

/** What hubs connect to: a broker, or a gateway, which stands between its pages and a broker. */
export interface EndpointKind {
  readonly kind: BrokerKind['kind'] | 'valkey' | 'websocket' | 'nats behind gateways'
  readonly start: (options: { readonly config?: string }) => Promise<Broker>
  readonly query: string
  /** Starts what stands between one hub and that URL, where there is something. */
  readonly startBetween?: (url: string) => Promise<Broker>
}

/** Every broker and protocol that the adapters speak, and a gateway over NATS. */
export const ENDPOINT_KINDS: readonly EndpointKind[] = [
  ...BROKER_KINDS,
  { kind: 'websocket', start: startGatewayProcess, query: '' },
]

/** Nothing where there is no Valkey, which the setup of the tests then says. */
const VALKEY = REDIS_PROGRAMS.filter((server) => server === 'valkey-server').map((server): EndpointKind => {
  return { kind: 'valkey', start: (options) => startRedis({ ...options, server }), query: '' }
})

/** The same, and Valkey, which speaks the protocol of Redis. */
export const SERVER_KINDS: readonly EndpointKind[] = [...ENDPOINT_KINDS, ...VALKEY]

/** The same, and pages whose gateways stay while the broker behind them fails. Each page has a gateway of its own. */
export const FAILING_KINDS: readonly EndpointKind[] = [
  ...SERVER_KINDS,
  { kind: 'nats behind gateways', start: startNats, query: '', startBetween: startGatewayOver },
]
