import type { RivuletError, Transport, TransportHost } from 'rivulet'
import { dialShareMs, makeTransport, timeoutsOf } from 'rivulet/transport'
import { capabilitiesOf } from './capabilities.ts'
import { Connection } from './connection.ts'
import { type MqttOptions, optionsFromUrls, resolveOptions, type Settings } from './options.ts'
import { refusesProtocol } from './refusal.ts'
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
 * Makes a transport over an MQTT broker, QoS 0 both ways. Does not connect yet: the hub it is given to does.
 * Throws `INVALID_OPTIONS`.
 *
 * What a broker refuses for good (credentials, certificate, protocol, a client id that another client uses)
 * rejects `open` with `TRANSPORT_FAILED`, everything else with `TRANSPORT_UNAVAILABLE`; `cause` has the reason.
 */
export function mqtt(options: MqttOptions): Transport {
  const settings = resolveOptions(options)
  const servers = new Servers(settings)
  return makeTransport<Connection>({
    name: 'mqtt',
    capabilities: (last) => last?.capabilities ?? capabilitiesOf(settings.protocol ?? 5, settings),
    connect: (host, signal) => servers.connect(host, signal),
  })
}

/** The servers of a transport, and which of them comes first. */
class Servers {
  readonly #settings: Settings
  readonly #takeOvers: TakeOvers
  /** The server to try first: the one that answered last, or the one after the last that did not. */
  #first: number

  constructor(settings: Settings) {
    this.#settings = settings
    this.#takeOvers = new TakeOvers(settings.clientId)
    this.#first = Math.floor(Math.random() * settings.servers.length)
  }

  async connect(host: TransportHost, signal: AbortSignal): Promise<Connection> {
    this.#takeOvers.check(performance.now())
    const [settings, takeOvers] = [this.#settings, this.#takeOvers]
    const timeouts = timeoutsOf(host)
    const { idleMs } = timeouts
    const dialMs = dialShareMs(timeouts, settings.servers.length)
    let failure: RivuletError | undefined
    let protocol = settings.protocol ?? 5
    for (let tried = 0; tried < settings.servers.length; ) {
      signal.throwIfAborted()
      const server = settings.servers[this.#first] as Server
      const connection = new Connection({ server, settings, protocol, takeOvers, host, idleMs, dialMs })
      try {
        await connection.open(signal)
        return connection
      } catch (error) {
        signal.throwIfAborted()
        const isOld = protocol === 5 && settings.protocol === undefined && refusesProtocol(error)
        protocol = isOld ? 4 : (settings.protocol ?? 5)
        if (isOld) continue
        tried++
        this.#first = (this.#first + 1) % settings.servers.length
        // As long as one server may come back, trying again is not pointless.
        if (failure?.code !== 'TRANSPORT_UNAVAILABLE') failure = error as RivuletError
      }
    }
    throw failure
  }
}
