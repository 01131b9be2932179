import type { Capabilities, RivuletError, Topic, Transport, TransportHost } from 'rivulet'
import { capabilitiesOf } from './capabilities.ts'
import { Connection } from './connection.ts'
import { type MqttOptions, optionsFromUrls, resolveOptions, type Settings } from './options.ts'
import { refusesProtocol, unavailable } from './refusal.ts'
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
  return new MqttTransport(resolveOptions(options))
}

class MqttTransport implements Transport {
  readonly name = 'mqtt'
  capabilities: Capabilities
  // Private, as everything that leads to a password: neither `inspect` nor JSON shows it.
  readonly #settings: Settings
  readonly #takeOvers: TakeOvers
  #connection: Connection | undefined
  /** Stands for the call of `open` that is in force; `close` ends it. */
  #opening: object | undefined
  /** The server to try first: the one that answered last, or the one after the last that did not. */
  #first: number

  constructor(settings: Settings) {
    this.#settings = settings
    this.#takeOvers = new TakeOvers(settings.clientId)
    this.#first = Math.floor(Math.random() * settings.servers.length)
    this.capabilities = capabilitiesOf(settings.protocol ?? 5, settings)
  }

  async open(host: TransportHost, signal: AbortSignal): Promise<void> {
    this.#takeOvers.check(performance.now())
    const [settings, takeOvers, opening] = [this.#settings, this.#takeOvers, {}]
    this.#opening = opening
    let failure: RivuletError | undefined
    let protocol = settings.protocol ?? 5
    for (let tried = 0; tried < settings.servers.length; ) {
      signal.throwIfAborted()
      if (this.#opening !== opening) throw unavailable('The transport was closed while opening.')
      const server = settings.servers[this.#first] as Server
      const connection = new Connection({ server, settings, protocol, takeOvers, host })
      this.#connection = connection
      try {
        await connection.open(signal)
        this.capabilities = connection.capabilities
        return
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

  send(topic: Topic, frame: Uint8Array | string): 'sent' | 'offline' {
    return this.#connection?.send(topic, frame) ?? 'offline'
  }

  async join(topic: Topic, signal: AbortSignal): Promise<void> {
    await (this.#connection ?? notOpen()).join(topic, signal)
  }

  leave(topic: Topic): void {
    this.#connection?.leave(topic)
  }

  async flush(signal: AbortSignal): Promise<void> {
    await (this.#connection ?? notOpen()).flush(signal)
  }

  async close(signal: AbortSignal): Promise<void> {
    this.#opening = undefined
    await this.#connection?.close(signal)
  }
}

function notOpen(): never {
  throw unavailable('There is no connection to an MQTT broker; open it first.')
}
