import type { ConnectionOptions } from '@nats-io/transport-node'
import { RivuletError, type Transport } from 'rivulet'
import {
  dialShareMs,
  given,
  inRandomOrder,
  makeTransport,
  Refusals,
  type Timeouts,
  timeoutsOf,
} from 'rivulet/adapter'
import { Connection } from './connection.ts'
import { type Dialled, dialAny } from './dial.ts'
import {
  clientSecrets,
  type NatsOptions,
  type ResolvedOptions,
  resolveOptions,
  SECRET_RULES,
} from './options.ts'

// The default `max_payload` of a nats-server, assumed until the first `open`.
const DEFAULT_MAX_PAYLOAD_BYTES = 1_048_576

/** Interval of the client's own pings, in idle intervals of the core. */
const PINGS_APART = 2

/**
 * Makes a transport over NATS core subjects. Every open dials the servers in random order until one answers.
 * Nothing is stored, replayed or queued: no JetStream, no queue groups, no reconnecting below the core.
 * Throws `INVALID_OPTIONS`.
 */
export function nats(options: NatsOptions = {}): Transport {
  const resolved = resolveOptions(options)
  const refusals = new Refusals(resolved.secrets)
  return makeTransport<Connection>({
    name: 'nats',
    capabilities: (last) => ({
      // Even a server on loopback may be part of a cluster or a leaf node, and no client can find out.
      scope: 'network',
      echoes: false,
      ordered: true,
      watch: true,
      // The same for every topic: the limit excludes the subject.
      maxFrameBytes: () => last?.maxFrameBytes ?? DEFAULT_MAX_PAYLOAD_BYTES,
    }),
    async connect(host, signal, last) {
      try {
        const timeouts = timeoutsOf(host)
        const dialled = await dialledFor(resolved, timeouts, signal, last)
        refusals.accepted()
        const redial = (from: Connection, end: AbortSignal) => dialledFor(resolved, timeouts, end, from)
        return new Connection(dialled, { host, prefix: resolved.prefix, refusals, redial })
      } catch (cause) {
        throw refusals.judge(cause)
      }
    },
  })
}

/** Calls the functions for secrets, and dials the servers in turn. */
async function dialledFor(
  { servers, discover, client, secrets }: ResolvedOptions,
  timeouts: Timeouts,
  signal: AbortSignal,
  last: Connection | undefined,
): Promise<Dialled> {
  const named = servers.map(({ label }) => label)
  const known = [...new Set([...named, ...((discover && last?.clusterServers) || [])])]
  const answered = await given(secrets, SECRET_RULES, { dialMs: timeouts.dialMs, signal })
  const options: ConnectionOptions = {
    ...client,
    ...readable(() => clientSecrets(answered, servers)),
    timeout: dialShareMs(timeouts, known.length),
    // The client pings in spite of other traffic, so less often than the core.
    pingInterval: PINGS_APART * timeouts.idleMs,
    maxPingOut: 2,
  }
  return dialAny(
    inRandomOrder(known, (server) => server === last?.server),
    options,
    signal,
  )
}

/** Reads secrets. Fixed ones were checked before, so only a function's value can be invalid; its next one may be valid. */
function readable<Result>(read: () => Result): Result {
  try {
    return read()
  } catch (cause) {
    const { message } = cause as RivuletError
    throw new RivuletError('TRANSPORT_UNAVAILABLE', `The function of an option gave no value: ${message}`)
  }
}
