import { type Capabilities, RivuletError, type Topic, type Transport, type TransportHost } from 'rivulet'
import { refusesProtocol } from './connect-error.ts'
import type { Connection } from './connection.ts'
import { dial } from './dial.ts'
import { type MqttOptions, resolveOptions, type Settings } from './options.ts'
import { maxFrameBytesOf } from './packet-size.ts'
import type { Server } from './server.ts'
import { TakeOvers } from './take-overs.ts'

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

interface Opening {
  readonly attempt: AbortController
  readonly connection: Promise<Connection>
}

class MqttTransport implements Transport {
  readonly name = 'mqtt'
  // Private, as everything that leads to a password: neither `inspect` nor JSON shows it.
  readonly #settings: Settings
  readonly #takeOvers: TakeOvers
  #capabilities: Capabilities
  #opening: Opening | undefined
  #connection: Connection | undefined
  /** The server to try first: the one that answered last, or the one after the last that did not. */
  #first = 0

  constructor(settings: Settings) {
    this.#settings = settings
    this.#takeOvers = new TakeOvers(settings.clientId)
    this.#capabilities = this.#capabilitiesOf(settings.protocol ?? 5, Number.POSITIVE_INFINITY)
  }

  get capabilities(): Capabilities {
    return this.#capabilities
  }

  async open(host: TransportHost, signal: AbortSignal): Promise<void> {
    this.#takeOvers.check(performance.now())
    signal.throwIfAborted()
    const attempt = new AbortController()
    const abort = () => attempt.abort(signal.reason)
    signal.addEventListener('abort', abort)
    const opening = { attempt, connection: this.#dialAny(attempt.signal) }
    this.#opening = opening
    try {
      const connection = await opening.connection
      if (attempt.signal.aborted) await connection.close(attempt.signal)
      attempt.signal.throwIfAborted()
      this.#use(connection, host)
    } finally {
      signal.removeEventListener('abort', abort)
      if (this.#opening === opening) this.#opening = undefined
    }
  }

  send(topic: Topic, frame: Uint8Array | string): 'sent' | 'offline' {
    return this.#connection?.send(topic, frame) ?? 'offline'
  }

  async join(topic: Topic, signal: AbortSignal): Promise<void> {
    await this.#connected().join(topic, signal)
  }

  leave(topic: Topic): void {
    this.#connection?.leave(topic)
  }

  async flush(signal: AbortSignal): Promise<void> {
    await this.#connected().flush(signal)
  }

  async close(signal: AbortSignal): Promise<void> {
    const opening = this.#opening
    opening?.attempt.abort(
      new RivuletError('TRANSPORT_UNAVAILABLE', 'The transport was closed while opening.'),
    )
    const connection = this.#connection ?? (await opening?.connection.catch(() => undefined))
    await connection?.close(signal)
    if (this.#connection === connection) this.#connection = undefined
  }

  async #dialAny(signal: AbortSignal): Promise<Connection> {
    const { servers } = this.#settings
    let failure: RivuletError | undefined
    for (const _ of servers) {
      try {
        return await this.#dial(servers[this.#first] as Server, signal)
      } catch (error) {
        signal.throwIfAborted()
        this.#first = (this.#first + 1) % servers.length
        // As long as one server may come back, trying again is not pointless.
        if (failure?.code !== 'TRANSPORT_UNAVAILABLE') failure = error as RivuletError
      }
    }
    throw failure
  }

  async #dial(server: Server, signal: AbortSignal): Promise<Connection> {
    const { protocol } = this.#settings
    try {
      return await dial(server, this.#settings, protocol ?? 5, signal)
    } catch (error) {
      if (protocol !== undefined || !refusesProtocol(error)) throw error
      return dial(server, this.#settings, 4, signal)
    }
  }

  #use(connection: Connection, host: TransportHost): void {
    connection.use({
      receive: (topic, frame) => host.receive(topic, frame),
      error: (topic, cause) => host.error(topic, cause),
      lost: (cause, ending) => {
        this.#takeOvers.note(ending, performance.now())
        if (this.#connection === connection) this.#connection = undefined
        host.down(cause)
      },
    })
    this.#connection = connection
    this.#capabilities = this.#capabilitiesOf(connection.protocol, connection.maxPacketBytes)
  }

  #connected(): Connection {
    if (this.#connection !== undefined) return this.#connection
    throw new RivuletError(
      'TRANSPORT_UNAVAILABLE',
      'There is no connection to an MQTT broker; open it first.',
    )
  }

  #capabilitiesOf(protocol: 4 | 5, maxPacketBytes: number): Capabilities {
    // Only MQTT 5 has a subscription without one's own frames (`No Local`).
    const echoes = protocol === 4
    const maxFrameBytes = (topic: Topic) => maxFrameBytesOf(maxPacketBytes, this.#settings.prefix + topic)
    return { scope: 'network', echoes, ordered: true, maxFrameBytes }
  }
}
