import type { Transport, TransportHost } from 'rivulet'
import { inRandomOrder, makeTransport, Refusals, timeoutsOf } from 'rivulet/adapter'
import { type Cluster, type Dialling, openCluster } from './cluster.ts'
import { Connection } from './connection.ts'
import { dialAny } from './dial.ts'
import { type RedisOptions, resolveOptions, type Settings } from './options.ts'
import { secretsOf, withSecrets } from './secrets.ts'
import { dialMaster } from './sentinel.ts'

/**
 * Makes a transport over the channels of Redis or Valkey. Every open dials the servers in random order until one
 * answers; with the option `sentinel` it asks for the master first. Nothing is stored, replayed or queued: no Redis
 * streams, no offline queue, and no reconnecting below the core except of one shard of several. Throws `INVALID_OPTIONS`.
 */
export function redis(options: RedisOptions = {}): Transport {
  const settings = resolveOptions(options)
  const refusals = new Refusals(secretsOf(settings))
  return makeTransport<Connection | Cluster>({
    name: 'redis',
    capabilities: () => ({
      // Even a server on loopback may have replicas or be a node of a cluster.
      // Sharded channels have no patterns.
      scope: 'network',
      echoes: true,
      ordered: true,
      watch: !settings.sharded,
      // A server announces no limit. Its own (`proto-max-bulk-len`) cannot be set below 1 MB, four times the largest frame
      // of the core.
      maxFrameBytes: () => Infinity,
    }),
    async connect(host, signal, last) {
      try {
        const connection = await connect(settings, host, signal, last?.server)
        refusals.accepted()
        return connection
      } catch (error) {
        throw refusals.judge(error)
      }
    },
  })
}

/** Connects to one server, or to all nodes of a sharded cluster. `last`: the server of the last connection. */
async function connect(
  settings: Settings,
  host: TransportHost,
  signal: AbortSignal,
  last: string | undefined,
): Promise<Connection | Cluster> {
  const timeouts = timeoutsOf(host)
  const known = await withSecrets(settings, { dialMs: timeouts.dialMs, signal })
  const { sentinel } = known
  const purpose = { ...known, wasUp: last !== undefined }
  const servers = inRandomOrder((sentinel ?? known).servers, ({ label }) => label === last)
  const dialled = await (sentinel === undefined
    ? dialAny(servers, purpose, timeouts, signal)
    : dialMaster(servers, sentinel, purpose, timeouts, signal))
  if (dialled.ranges === undefined) return new Connection(dialled, host)
  const dialling: Dialling = {
    wasUp: purpose.wasUp,
    dial: (server, signal) => dialAny([server], purpose, timeouts, signal),
    redial: async (server, signal) => {
      const secrets = await withSecrets(settings, { dialMs: timeouts.dialMs, signal })
      return dialAny([server], { ...secrets, wasUp: true }, timeouts, signal)
    },
  }
  return openCluster(dialled, host, dialling, signal)
}
