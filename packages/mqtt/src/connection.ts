import { connect as connectSocket, type Socket } from 'node:net'
import { ErrorWithReasonCode, type IConnackPacket, type MqttClient, ReasonCodes } from 'mqtt'
import type { Capabilities, Topic, TransportHost } from 'rivulet'
import { Ending } from 'rivulet/adapter'
import { capabilitiesOf } from './capabilities.ts'
import { startClient, type Target } from './dial.ts'
import { codeOf, failed, reasonOf, unavailable } from './refusal.ts'
import type { Server } from './server.ts'
import { BY, type Subscription, Subscriptions, subscribeOptions } from './subscriptions.ts'
import type { TakeOvers } from './take-overs.ts'

// Bytes of a SUBSCRIBE in place of a PUBLISH's frame: packet id, options and subscription identifier.
const SUBSCRIBE_BYTES = 5

/** The parts of a connection. The host is called from the end of `open` until `close`. */
type Parts = Target & { takeOvers: TakeOvers; host: TransportHost }

const NEVER = new AbortController().signal

/** One connection to a broker, from dialling to its end. */
export class Connection {
  /** The broker's capabilities; final once `open` has resolved. */
  capabilities: Capabilities
  readonly #parts: Readonly<Parts>
  readonly #socket: Socket
  #client: MqttClient | undefined
  readonly #subscriptions: Subscriptions
  readonly #ending = new Ending()
  /** The callbacks of unanswered pings in order, those of the client's own keepalive included. */
  readonly #pings: (() => void)[] = []
  #welcome = () => {}
  #openedMs: number | undefined
  #isUp = false
  #isClosing = false
  #cause: unknown
  #lost: Error | undefined

  constructor(parts: Parts) {
    const { server, settings, protocol, host } = parts
    this.#parts = parts
    this.#subscriptions = new Subscriptions(host, settings.prefix)
    this.capabilities = capabilitiesOf(protocol, settings)
    // Otherwise a packet would wait 40 ms for the acknowledgement of the one before: with a barrier every 500 frames that
    // is 8 000 frames a second instead of 50 000.
    this.#socket = connectSocket({ host: server.host, port: server.port, noDelay: true })
    this.#socket.on('error', this.#giveUp)
    this.#socket.on('connect', () => this.#greet())
    this.#socket.on('close', () => this.#client ?? this.#end())
  }

  get server(): Server {
    return this.#parts.server
  }

  /**
   * Resolves when the broker has accepted the connection. Rejects with the broker's reason or the signal's, in each case
   * only after the socket is closed. Called once.
   */
  async open(signal: AbortSignal): Promise<this> {
    const { dialMs } = this.#parts
    const timer = setTimeout(this.#giveUp, dialMs, new Error(`no answer within ${dialMs} ms`))
    const welcomed = (done: () => void) => {
      this.#welcome = done
    }
    await this.#untilEnd(welcomed, signal).finally(() => clearTimeout(timer))
    return this
  }

  send(topic: Topic, frame: Uint8Array | string): 'sent' | 'offline' {
    if (!this.#isUp || !this.#client?.stream.writable) return 'offline'
    if (Buffer.byteLength(frame) > this.capabilities.maxFrameBytes(topic)) return 'offline'
    // MQTT.js hands the payload to the socket, which accepts any Uint8Array. No callback: it may never be called.
    this.#client.publish(this.#parts.settings.prefix + topic, frame as Buffer)
    return 'sent'
  }

  join(topic: Topic, signal: AbortSignal): Promise<void> {
    return this.#subscribe(topic, { by: BY.join, topic }, signal)
  }

  async watch(hub: string, signal: AbortSignal): Promise<void> {
    if (!this.capabilities.watch) {
      const { label } = this.#parts.server
      throw failed(`${label} does not identify the subscription of a frame; use MQTT 5.`)
    }
    const [topics, watch] = [`rivulet/${hub}/#`, { by: BY.watch }]
    signal.addEventListener('abort', () => this.#unsubscribe(topics, watch))
    await this.#subscribe(topics, watch, signal)
  }

  leave(topic: Topic): void {
    this.#unsubscribe(topic)
  }

  async flush(signal: AbortSignal): Promise<void> {
    this.#clientFor(signal)
    await this.#ending.race(() => new Promise<void>((done) => this.#ping(done)), signal)
  }

  bufferedBytes(): number {
    return this.#socket.writableLength
  }

  /** Ends the connection: gracefully once the broker has all frames sent before, or at once when `signal` aborts. */
  async close(signal: AbortSignal): Promise<void> {
    if (this.#lost !== undefined) return
    const [isUp, isClosing] = [this.#isUp, this.#isClosing]
    this.#isClosing = true
    this.#subscriptions.end()
    this.#isUp = false
    const end = () => {
      if (signal.aborted || !(isUp || isClosing)) this.#giveUp(signal.reason)
      else if (isUp) this.#ping(() => this.#client?.end())
    }
    await this.#untilEnd(end, signal).catch(() => {})
  }

  async #subscribe(topic: string, subscription: Subscription, signal: AbortSignal): Promise<void> {
    const client = this.#clientFor(signal)
    if (this.capabilities.maxFrameBytes(topic as Topic) < SUBSCRIBE_BYTES) {
      throw this.#rejected(topic, 'the name alone is larger than the packets that it takes')
    }
    const name = this.#parts.settings.prefix + topic
    this.#subscriptions.add(name, subscription)
    const options = subscribeOptions(subscription, this.capabilities.watch)
    const ask = () =>
      new Promise<void>((done, fail) => {
        client.subscribe(name, options, (error, _, answer) => {
          if (!error) done()
          else if (answer !== undefined) fail(this.#rejected(topic, error))
          else this.#giveUp(error) // the end of the connection ends the join
        })
      })
    await this.#ending.race(ask, signal).catch((error: unknown) => {
      this.#unsubscribe(topic, subscription)
      throw error
    })
  }

  /** Ends a subscription; if one is given, only that one, not a later one of the same topic. */
  #unsubscribe(topic: string, subscription?: Subscription): void {
    const name = this.#parts.settings.prefix + topic
    // With a callback, since a client that is disconnecting would otherwise emit an error.
    if (this.#subscriptions.remove(name, subscription) && this.#isUp)
      this.#client?.unsubscribe(name, () => {})
  }

  /** Calls `done` at the broker's answer. */
  #ping(done: () => void): void {
    this.#client?.sendPing()
    this.#pings.splice(-1, 1, done)
  }

  #greet(): void {
    try {
      this.#client = startClient(this.#socket, this.#parts)
    } catch (error) {
      return this.#giveUp(error)
    }
    const client = this.#client
    // The client's own handling would let the system send the socket's buffer.
    client.onKeepaliveTimeout = () => this.#giveUp(new Error('Keepalive timeout'))
    client.on('connect', ({ properties }) => this.#opened(properties))
    client.on('message', (name, payload, { retain, properties }) => {
      if (!retain) this.#subscriptions.receive(name, payload, properties?.subscriptionIdentifier)
    })
    client.on('packetsend', ({ cmd }) => cmd === 'pingreq' && this.#pings.push(() => {}))
    // An unrequested PINGRESP confirms nothing.
    client.on('packetreceive', ({ cmd }) => cmd === 'pingresp' && this.#pings.shift()?.())
    client.on('disconnect', ({ reasonCode = 0 }) => this.#giveUp(dismissal(reasonCode)))
    client.on('error', this.#giveUp)
    // Only the stream emits errors without a code.
    client.stream.on('error', this.#giveUp)
    client.on('close', () => this.#end())
  }

  #opened(properties: IConnackPacket['properties']): void {
    if (this.#socket.destroyed) return
    const { protocol, settings } = this.#parts
    this.capabilities = capabilitiesOf(protocol, settings, properties)
    this.#openedMs = performance.now()
    this.#isUp = true
    this.#welcome()
  }

  /** Ends the connection at once, with a reset, so that the system sends nothing of its buffer late. */
  readonly #giveUp = (cause: unknown): void => {
    this.#cause ??= cause
    this.#isUp = false
    // A socket cannot be reset before it is connected or while it shuts down; its buffer is empty then.
    if (this.#socket.connecting || this.#client?.disconnecting) this.#socket.destroy()
    else this.#socket.resetAndDestroy()
  }

  #end(): void {
    const { server, protocol, host, takeOvers } = this.#parts
    this.#isUp = false
    this.#lost = this.#endError(server.label)
    this.#subscriptions.end()
    this.#ending.end(this.#lost)
    if (this.#openedMs === undefined || this.#isClosing) return
    const nowMs = performance.now()
    takeOvers.note(protocol, codeOf(this.#cause), nowMs - this.#openedMs, nowMs)
    host.down(this.#lost)
  }

  #endError(label: string): Error {
    if (this.#isClosing) return unavailable(`The connection to ${label} was closed.`)
    if (this.#openedMs === undefined) return asError(this.#cause)
    return unavailable(`The connection to ${label} is gone: ${reasonOf(this.#cause)}.`, this.#cause)
  }

  #rejected(topic: string, cause: unknown): Error {
    return failed(`${this.#parts.server.label} refused to subscribe to ${topic}: ${reasonOf(cause)}.`, cause)
  }

  /** Returns the client, or throws when it cannot be used. */
  #clientFor(signal: AbortSignal): MqttClient {
    signal.throwIfAborted()
    if (this.#isUp && this.#client?.stream.writable) return this.#client
    throw this.#lost ?? unavailable(`The connection to ${this.#parts.server.label} is not open.`)
  }

  /** Begins work and waits for it or for the end of the connection, which an abort brings about. */
  async #untilEnd(begin: (done: () => void) => void, signal: AbortSignal): Promise<void> {
    const giveUp = () => this.#giveUp(signal.reason)
    signal.addEventListener('abort', giveUp)
    const work = () => new Promise<void>(begin)
    await this.#ending.race(work, NEVER).finally(() => signal.removeEventListener('abort', giveUp))
  }
}

/** A broker that closes without a word gives no cause, and a signal may abort with any value. */
function asError(cause: unknown): Error {
  return cause instanceof Error ? cause : new Error(reasonOf(cause))
}

function dismissal(reasonCode: number): Error {
  const reason = (ReasonCodes as Record<number, string>)[reasonCode] || 'no reason'
  return new ErrorWithReasonCode(`The broker disconnected: ${reason}`, reasonCode)
}
