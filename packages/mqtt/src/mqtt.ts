import type { Transport, TransportHost } from 'rivulet'
import { dialInTurn, dialShareMs, inRandomOrder, makeTransport, Refusals, timeoutsOf } from 'rivulet/adapter'
import { capabilitiesOf } from './capabilities.ts'
import { Connection } from './connection.ts'
import { type MqttOptions, optionsFromUrls, resolveOptions, type Settings } from './options.ts'
import { refusalOf, refusesProtocol } from './refusal.ts'
import { secretsOf, withSecrets } from './secrets.ts'
import type { Server } from './server.ts'
import { TakeOvers } from './take-overs.ts'

/**
 * Makes a transport from URLs: `mqtt:`, `mqtts:`, `mqtt+ws:` and `mqtt+wss:`, with percent-encoded credentials and
 * `?prefix=…&clientId=…&protocol=4&maxPacketBytes=…`. Several URLs name servers of one cluster; a parameter of one
 * holds for all. Throws `INVALID_OPTIONS` for an unknown parameter, or one with two values.
 */
export function transportFromUrls(urls: readonly string[]): Transport {
  return mqtt(optionsFromUrls(urls))
}

/**
 * Makes a transport over an MQTT broker, QoS 0 in both directions. The hub connects it.
 * Throws `INVALID_OPTIONS`.
 *
 * A final refusal (credentials, certificate, protocol, a client id that another client uses) rejects `open` with
 * `TRANSPORT_FAILED`, everything else with `TRANSPORT_UNAVAILABLE`; `cause` has the reason. When a function returns a
 * secret, the first four refusals in a row count as outages, since the next attempt calls it again.
 */
export function mqtt(options: MqttOptions): Transport {
  const settings = resolveOptions(options)
  const takeOvers = new TakeOvers(settings.clientId)
  const refusals = new Refusals(secretsOf(settings))
  return makeTransport<Connection>({
    name: 'mqtt',
    capabilities: (last) => last?.capabilities ?? capabilitiesOf(settings.protocol ?? 5, settings),
    async connect(host, signal, last) {
      // First, so that no function for a secret is called while the id is left to another client.
      takeOvers.check(performance.now())
      try {
        const connection = await dialAny({ settings, takeOvers, host }, signal, last)
        refusals.accepted()
        return connection
      } catch (cause) {
        throw refusals.judge(cause)
      }
    },
  })
}

interface Surroundings {
  readonly settings: Settings
  readonly takeOvers: TakeOvers
  readonly host: TransportHost
}

/** Asks for the secrets that functions give, and dials one server after another. */
async function dialAny(
  surroundings: Surroundings,
  signal: AbortSignal,
  last: Connection | undefined,
): Promise<Connection> {
  const timeouts = timeoutsOf(surroundings.host)
  const { idleMs } = timeouts
  const settings = await withSecrets(surroundings.settings, { dialMs: timeouts.dialMs, signal })
  const dialMs = dialShareMs(timeouts, settings.servers.length)
  const open = (protocol: 4 | 5, server: Server) =>
    new Connection({ ...surroundings, server, settings, protocol, idleMs, dialMs }).open(signal)
  return dialInTurn(
    inRandomOrder(settings.servers, (server) => server === last?.server),
    ({ label }) => label,
    (server) => {
      if (settings.protocol !== undefined) return open(settings.protocol, server)
      return open(5, server).catch((cause) => {
        if (signal.aborted || !refusesProtocol(cause)) throw cause
        return open(4, server)
      })
    },
    refusalOf,
    signal,
  )
}
