import type { Capabilities, Topic, Transport, TransportHost } from 'rivulet'
import type { Broker } from './broker.ts'
import { capabilitiesOf } from './bus-options.ts'
import { Connection, type Peer } from './connection.ts'

/** One place to connect to the bus. */
export class MemoryTransport implements Transport {
  readonly name = 'memory'
  readonly capabilities: Capabilities
  readonly #broker: Broker
  readonly #peer: Peer
  #connection: Connection | undefined
  // The connection that was closed last: what it sent may still wait for a thaw.
  #closing: Connection | undefined
  // Counts every call, refused ones too, so that an outage does not shift the fates of later frames.
  #sends = 0

  constructor(broker: Broker, peer: Peer) {
    this.#broker = broker
    this.#peer = peer
    this.capabilities = capabilitiesOf(broker.options)
  }

  async open(host: TransportHost, signal: AbortSignal): Promise<void> {
    if (this.#connection && this.#connection.state !== 'gone') {
      throw new Error('The transport is open or opening; close it before opening it again.')
    }
    const connection = new Connection(this.#peer, host)
    this.#connection = connection
    try {
      await this.#broker.admit(connection, signal)
    } catch (cause) {
      this.#broker.dismiss(connection)
      throw cause
    }
  }

  send(topic: Topic, frame: Uint8Array | string): 'sent' | 'offline' {
    const nth = this.#sends++
    if (this.#connection?.state !== 'up') return 'offline'
    return this.#broker.take(this.#connection, nth, topic, frame)
  }

  async join(topic: Topic, signal: AbortSignal): Promise<void> {
    await this.#broker.join(this.#upConnection(), topic, signal)
  }

  leave(topic: Topic): void {
    if (this.#connection) this.#broker.leave(this.#connection, topic)
  }

  async flush(signal: AbortSignal): Promise<void> {
    await this.#broker.flush(this.#upConnection(), signal)
  }

  async close(signal: AbortSignal): Promise<void> {
    if (this.#connection) {
      this.#closing = this.#connection
      this.#connection = undefined
      this.#broker.dismiss(this.#closing)
    }
    const closing = this.#closing
    if (!closing) return
    await this.#broker.handOver(closing, signal)
    if (this.#closing === closing) this.#closing = undefined
  }

  #upConnection(): Connection {
    if (this.#connection?.state === 'up') return this.#connection
    throw new Error('The transport is not open; open it first.')
  }
}
