import type { IConnackPacket, IDisconnectPacket, IPublishPacket, MqttClient, Packet } from 'mqtt'
import { ReasonCodes } from 'mqtt'
import { RivuletError, type Topic, type TransportHost } from 'rivulet'
import { reasonOf } from './connect-error.ts'
import { fitsPacket } from './packet-size.ts'
import type { Server } from './server.ts'
import type { Ending } from './take-overs.ts'

// `nl`: not my own frames. `rap` and `rh`: retained messages are marked as such, and not sent on subscribing.
const SUBSCRIPTION = { qos: 0, nl: true, rap: true, rh: 2 } as const
const NAME_TOO_LARGE = 'the name alone is larger than the packets that it takes'

/** What a connection is made of: a client that has just been let in. */
export interface ConnectionParts {
  readonly client: MqttClient
  readonly connack: IConnackPacket
  readonly protocol: 4 | 5
  readonly server: Server
  readonly prefix: string
}

/** What a connection tells once it is in use. Silent after `close` or the first `lost`. */
export interface ConnectionListener extends Pick<TransportHost, 'receive' | 'error'> {
  lost(cause: RivuletError, ending: Ending): void
}

/** One connection to a broker, from its CONNACK to its end. */
export class Connection {
  /** The largest packet that the broker takes, `Infinity` when it names no limit. */
  readonly maxPacketBytes: number
  readonly protocol: 4 | 5
  readonly #client: MqttClient
  readonly #server: Server
  readonly #prefix: string
  readonly #bornMs = performance.now()
  readonly #joins = new Map<string, { readonly topic: Topic }>()
  /** How to reject each promise that waits for the broker. */
  readonly #waits = new Set<(error: unknown) => void>()
  /** Barriers in the order of their pings. */
  readonly #barriers: { readonly ping: number; readonly done: () => void }[] = []
  #pings = 0
  #pongs = 0
  #listener: ConnectionListener | undefined
  #closing = false
  #cause: unknown
  #reasonCode: number | undefined
  #lost: RivuletError | undefined

  constructor({ client, connack, protocol, server, prefix }: ConnectionParts) {
    this.#client = client
    this.#server = server
    this.#prefix = prefix
    this.protocol = protocol
    this.maxPacketBytes = connack.properties?.maximumPacketSize ?? Number.POSITIVE_INFINITY
    client.on('message', (topic, payload, packet) => this.#receive(topic, payload, packet))
    client.on('packetsend', (packet) => this.#sent(packet))
    client.on('packetreceive', (packet) => this.#received(packet))
    client.on('disconnect', (packet) => this.#dismissed(packet))
    client.on('error', (error) => this.#abandon(error))
    client.stream.on('error', (error: unknown) => this.#abandon(error))
    client.on('close', () => this.#end())
  }

  /** Whether a frame that is sent now goes to the socket. */
  get up(): boolean {
    // A connection that was cut says `connected` for another tick, its stream does not.
    return !this.#closing && this.#client.connected && this.#client.stream.writable
  }

  /** Puts the connection to use. Throws when it was lost meanwhile. */
  use(listener: ConnectionListener): void {
    if (this.#lost !== undefined) throw this.#lost
    this.#listener = listener
  }

  send(topic: Topic, frame: Uint8Array | string): 'sent' | 'offline' {
    const name = this.#prefix + topic
    if (!this.up || !fitsPacket(this.maxPacketBytes, name, frame)) return 'offline'
    try {
      // MQTT.js hands the payload to the socket, which takes any Uint8Array. No callback: it may never come.
      this.#client.publish(name, frame as Buffer)
      return 'sent'
    } catch {
      return 'offline'
    }
  }

  async join(topic: Topic, signal: AbortSignal): Promise<void> {
    const name = this.#prefix + topic
    const join = { topic }
    if (!fitsPacket(this.maxPacketBytes, name, '')) throw this.#refused(topic, NAME_TOO_LARGE)
    this.#joins.set(name, join)
    try {
      await this.#wait(signal, (done, fail) => {
        this.#client.subscribe(name, SUBSCRIPTION, (error) => {
          if (error) fail(this.#refused(topic, error))
          else done()
        })
      })
    } catch (error) {
      // A later join of the same topic is not this one's to end.
      if (this.#joins.get(name) === join) this.leave(topic)
      throw error
    }
  }

  leave(topic: Topic): void {
    const name = this.#prefix + topic
    if (!this.#joins.delete(name) || !this.up) return
    // Without a callback a client that is disconnecting would emit an error.
    this.#client.unsubscribe(name, () => {})
  }

  flush(signal: AbortSignal): Promise<void> {
    return this.#wait(signal, (done) => {
      this.#client.sendPing()
      this.#barriers.push({ ping: this.#pings, done })
    })
  }

  /** Ends the connection: politely, after what was sent before, until `signal` aborts; then at once. */
  close(signal: AbortSignal): Promise<void> {
    this.#listener = undefined
    this.#closing = true
    return new Promise((resolve) => {
      if (this.#lost !== undefined) return resolve()
      const drop = () => this.#client.stream.destroy()
      this.#client.once('close', () => {
        signal.removeEventListener('abort', drop)
        resolve()
      })
      signal.addEventListener('abort', drop)
      if (signal.aborted) drop()
      else this.#client.end()
    })
  }

  /** Runs `begin` and gives its outcome, or rejects when `signal` aborts or the connection ends first. */
  #wait(
    signal: AbortSignal,
    begin: (done: () => void, fail: (error: unknown) => void) => void,
  ): Promise<void> {
    return new Promise((resolve, reject) => {
      signal.throwIfAborted()
      if (!this.up) throw this.#lost ?? this.#goneError()
      const settle = () => {
        this.#waits.delete(fail)
        signal.removeEventListener('abort', abort)
      }
      const fail = (error: unknown) => {
        settle()
        reject(error)
      }
      const abort = () => fail(signal.reason)
      this.#waits.add(fail)
      signal.addEventListener('abort', abort)
      begin(() => {
        settle()
        resolve()
      }, fail)
    })
  }

  #receive(name: string, payload: Uint8Array, packet: IPublishPacket): void {
    const join = this.#joins.get(name)
    if (join === undefined || packet.retain) return
    try {
      this.#listener?.receive(join.topic, payload)
    } catch (error) {
      // An exception in here would stop the client from reading, for good and silently.
      queueMicrotask(() => this.#listener?.error(join.topic, error as Error))
    }
  }

  /** Counts every ping, the client's own keepalive included: their answers look alike. */
  #sent(packet: Packet): void {
    if (packet.cmd === 'pingreq') this.#pings++
  }

  #received(packet: Packet): void {
    // An answer that nobody asked for must not confirm the next barrier.
    if (packet.cmd !== 'pingresp' || this.#pongs === this.#pings) return
    this.#pongs++
    while (this.#barriers[0] !== undefined && this.#barriers[0].ping <= this.#pongs) {
      this.#barriers.shift()?.done()
    }
  }

  #dismissed({ reasonCode = 0 }: IDisconnectPacket): void {
    this.#reasonCode = reasonCode
    const reason = ReasonCodes[reasonCode as keyof typeof ReasonCodes] || 'no reason'
    this.#abandon(new Error(`The broker disconnected: ${reason} (${reasonCode})`))
  }

  #abandon(cause: unknown): void {
    this.#cause ??= cause
    this.#client.stream.destroy()
  }

  #end(): void {
    if (this.#lost !== undefined) return
    this.#lost = this.#goneError()
    this.#joins.clear()
    for (const fail of this.#waits) fail(this.#lost)
    const listener = this.#listener
    this.#listener = undefined
    const { protocol } = this
    const lifeMs = performance.now() - this.#bornMs
    listener?.lost(this.#lost, { protocol, reasonCode: this.#reasonCode, lifeMs })
  }

  #goneError(): RivuletError {
    const reason = this.#closing ? 'closed' : reasonOf(this.#cause)
    const message = `The connection to ${this.#server.label} is gone: ${reason}.`
    return new RivuletError('TRANSPORT_UNAVAILABLE', message, { cause: this.#cause })
  }

  #refused(topic: Topic, cause: unknown): RivuletError {
    const message = `${this.#server.label} refused to subscribe to ${topic}: ${reasonOf(cause)}.`
    return new RivuletError('TRANSPORT_FAILED', message, { cause })
  }
}
