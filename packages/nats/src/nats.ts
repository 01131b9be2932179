import type { Transport } from 'rivulet'
import { dialShareMs, makeTransport, timeoutsOf } from 'rivulet/transport'
import { Connection } from './connection.ts'
import { dialAny } from './dial.ts'
import { type NatsOptions, resolveOptions } from './options.ts'

// What a nats-server takes unless it is configured otherwise (`max_payload`); stands until the first `open`.
const DEFAULT_MAX_PAYLOAD_BYTES = 1_048_576

/** How many idle intervals of the core lie between two of the client's own pings. */
const PINGS_APART = 2

/**
 * Makes a transport over NATS core subjects. Every open dials the servers in a random order until one answers.
 * Nothing is stored, replayed or queued: no JetStream, no queue groups, no reconnecting below the core.
 * Throws `INVALID_OPTIONS`.
 */
export function nats(options: NatsOptions = {}): Transport {
  const { client, prefix, servers, discover } = resolveOptions(options)
  return makeTransport<Connection>({
    name: 'nats',
    capabilities: (last) => ({
      // Even a server on loopback may be part of a cluster or a leaf of one, and no client can tell.
      ...({ scope: 'network', echoes: false, ordered: true, watch: true } as const),
      // The same for every topic: a server does not count the subject.
      maxFrameBytes: () => last?.maxFrameBytes ?? DEFAULT_MAX_PAYLOAD_BYTES,
    }),
    async connect(host, signal, last) {
      const known = new Set([...servers, ...((discover && last?.clusterServers) || [])])
      const timeouts = timeoutsOf(host)
      const waits = {
        timeout: dialShareMs(timeouts, known.size),
        // The client pings whatever else is said, so it does so less often than the core.
        pingInterval: PINGS_APART * timeouts.idleMs,
        maxPingOut: 2,
      }
      const dialled = await dialAny(inRandomOrder([...known], last?.server), { ...client, ...waits }, signal)
      return new Connection(dialled, host, prefix)
    },
  })
}

/** The server of the last connection comes last: it is the one most likely to be gone, stopped or leaving. */
function inRandomOrder(servers: readonly string[], last: string | undefined): string[] {
  const ranked = servers.map((server) => ({ server, rank: server === last ? 1 : Math.random() }))
  return ranked.sort((one, other) => one.rank - other.rank).map(({ server }) => server)
}
