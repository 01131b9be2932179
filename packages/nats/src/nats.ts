import type { Transport } from 'rivulet'
import { makeTransport } from 'rivulet/transport'
import { Connection } from './connection.ts'
import { dialAny } from './dial.ts'
import { type NatsOptions, resolveOptions } from './options.ts'

// What a nats-server takes unless it is configured otherwise (`max_payload`); stands until the first `open`.
const DEFAULT_MAX_PAYLOAD_BYTES = 1_048_576

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
      const dialled = await dialAny(inRandomOrder([...known], last?.server), client, signal)
      return new Connection(dialled, host, prefix)
    },
  })
}

/** The server of the last connection comes last: it is the one most likely to be gone, stopped or leaving. */
function inRandomOrder(servers: readonly string[], last: string | undefined): string[] {
  const ranked = servers.map((server) => ({ server, rank: server === last ? 1 : Math.random() }))
  return ranked.sort((one, other) => one.rank - other.rank).map(({ server }) => server)
}
