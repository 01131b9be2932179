import type { Transport } from 'rivulet'
import { makeTransport, timeoutsOf } from 'rivulet/transport'
import { type Cluster, openCluster } from './cluster.ts'
import { Connection } from './connection.ts'
import { dialAny } from './dial.ts'
import { type RedisOptions, resolveOptions, type Server } from './options.ts'

/**
 * Makes a transport over the channels of Redis or Valkey. Every open dials the servers in a random order until one
 * answers. Nothing is stored, replayed or queued: no Redis streams, no offline queue, no reconnecting below the core.
 * Throws `INVALID_OPTIONS`.
 */
export function redis(options: RedisOptions = {}): Transport {
  const settings = resolveOptions(options)
  return makeTransport<Connection | Cluster>({
    name: 'redis',
    capabilities: () => ({
      // Even a server on loopback may have replicas or be a node of a cluster.
      // And sharded channels have no patterns.
      ...({ scope: 'network', echoes: true, ordered: true, watch: !settings.sharded } as const),
      // A server names none. What it enforces unasked (`proto-max-bulk-len`) cannot be set below 1 MB, which is four
      // times the largest frame of the core.
      maxFrameBytes: () => Infinity,
    }),
    async connect(host, signal, last) {
      const servers = inRandomOrder(settings.servers, last?.server)
      const dialled = await dialAny(servers, settings, timeoutsOf(host), signal)
      const isCluster = dialled.ranges !== undefined
      return isCluster ? openCluster(dialled, host, settings, signal) : new Connection(dialled, host)
    },
  })
}

/** The server of the last connection comes last: it is the one most likely to be gone, stopped or leaving. */
function inRandomOrder(servers: readonly Server[], last: string | undefined): Server[] {
  const ranked = servers.map((server) => ({ server, rank: server.label === last ? 1 : Math.random() }))
  return ranked.sort((one, other) => one.rank - other.rank).map(({ server }) => server)
}
