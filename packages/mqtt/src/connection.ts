import { connect as connectSocket, type Socket } from 'node:net'
import { ErrorWithReasonCode, type IConnackPacket, type MqttClient, ReasonCodes } from 'mqtt'
import type { Capabilities, RivuletError, Topic, TransportHost } from 'rivulet'
import { capabilitiesOf } from './capabilities.ts'
import { startClient, type Target } from './dial.ts'
import { codeOf, failed, openError, reasonOf, unavailable } from './refusal.ts'
import { BY, type Subscription, Subscriptions, subscribeOptions } from './subscriptions.ts'
import type { TakeOvers } from './take-overs.ts'

// A SUBSCRIBE has an id, options and a subscription identifier where a PUBLISH of QoS 0 has its frame.
const SUBSCRIBE_BYTES = 5

/** What a connection is made of. The host is called from when the connection is open until `close`. */
type Parts = Target & { takeOvers: TakeOvers; host: TransportHost }
type Begin = (done: () => void, fail: (error: unknown) => void) => void

/** One connection to a broker, from dialling to its end. */
export class Connection {
  /** What the broker can do; final once `open` has resolved. */
  capabilities: Capabilities
  readonly #parts: Readonly<Parts>
  readonly #socket: Socket
  #client: MqttClient | undefined
  readonly #subscriptions: Subscriptions
  /** How to reject each promise that waits for the broker. */
  readonly #waits = new Set<(error: unknown) => void>()
  /** What to do at the answer to each ping under way, those of the client's own keepalive included. */
  readonly #pings: (() => void)[] = []
  #welcome = () => {}
  #openedMs: number | undefined
  #isUp = false
  #isClosing = false
  #cause: unknown
  #lost: RivuletError | undefined

  constructor(parts: Parts) {
    const { server, settings, protocol, host } = parts
    this.#parts = parts
    this.#subscriptions = new Subscriptions(host, settings.prefix)
    this.capabilities = capabilitiesOf(protocol, settings)
    // A packet behind another would wait 40 ms for the broker to acknowledge that one: with a barrier every 500
    // frames that is 8 000 frames a second instead of 50 000.
    this.#socket = connectSocket({ host: server.host, port: server.port, noDelay: true })
    this.#socket.on('error', this.#giveUp)
    this.#socket.on('connect', () => this.#greet())
    this.#socket.on('close', () => this.#client ?? this.#end())
  }

  /**
   * Resolves when the broker has let the connection in. Rejects with `TRANSPORT_FAILED`, `TRANSPORT_UNAVAILABLE`
   * or the signal's reason, in each case only after the socket is closed. Called once.
   */
  async open(signal: AbortSignal): Promise<void> {
    const { dialMs } = this.#parts
    const timer = setTimeout(this.#giveUp, dialMs, new Error(`no answer within ${dialMs} ms`))
    const welcomed = (done: () => void) => {
      this.#welcome = done
    }
    await this.#outcome(signal, welcomed, this.#giveUp).finally(() => clearTimeout(timer))
  }

  send(topic: Topic, frame: Uint8Array | string): 'sent' | 'offline' {
    if (!this.#isUp || !this.#client?.stream.writable) return 'offline'
    if (Buffer.byteLength(frame) > this.capabilities.maxFrameBytes(topic)) return 'offline'
    // MQTT.js hands the payload to the socket, which takes any Uint8Array. No callback: it may never come.
    this.#client.publish(this.#parts.settings.prefix + topic, frame as Buffer)
    return 'sent'
  }

  join(topic: Topic, signal: AbortSignal): Promise<void> {
    return this.#subscribe(topic, { by: BY.join, topic }, signal)
  }

  async watch(hub: string, signal: AbortSignal): Promise<void> {
    if (!this.capabilities.watch) {
      const { label } = this.#parts.server
      throw failed(`${label} does not tell by which subscription a frame comes; use MQTT 5.`)
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
    await this.#outcome(signal, (done) => this.#ping(done))
  }

  heldBytes(): number {
    return this.#socket.writableLength
  }

  /** Ends the connection: politely, once the broker has what was sent before, until `signal` aborts; then at once. */
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
    await this.#outcome(signal, end, this.#giveUp).catch(() => {})
  }

  async #subscribe(topic: string, subscription: Subscription, signal: AbortSignal): Promise<void> {
    const client = this.#clientFor(signal)
    if (this.capabilities.maxFrameBytes(topic as Topic) < SUBSCRIBE_BYTES) {
      throw this.#rejected(topic, 'the name alone is larger than the packets that it takes')
    }
    const name = this.#parts.settings.prefix + topic
    this.#subscriptions.add(name, subscription)
    const options = subscribeOptions(subscription, this.capabilities.watch)
    const answered = this.#outcome(signal, (done, fail) => {
      client.subscribe(name, options, (error, _, answer) => {
        if (!error) done()
        else if (answer !== undefined) fail(this.#rejected(topic, error))
        else this.#giveUp(error) // the end of the connection ends the join
      })
    })
    await answered.catch((error: unknown) => {
      this.#unsubscribe(topic, subscription)
      throw error
    })
  }

  /** Ends a subscription; when one is given, no later one of the same topic. */
  #unsubscribe(topic: string, subscription?: Subscription): void {
    const name = this.#parts.settings.prefix + topic
    // Without a callback a client that is disconnecting would emit an error.
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
    // Its own way of giving up would let the system send what the socket holds.
    client.onKeepaliveTimeout = () => this.#giveUp(new Error('Keepalive timeout'))
    client.on('connect', ({ properties }) => this.#opened(properties))
    client.on('message', (name, payload, { retain, properties }) => {
      if (!retain) this.#subscriptions.receive(name, payload, properties?.subscriptionIdentifier)
    })
    client.on('packetsend', ({ cmd }) => cmd === 'pingreq' && this.#pings.push(() => {}))
    // An answer that nobody asked for confirms nothing.
    client.on('packetreceive', ({ cmd }) => cmd === 'pingresp' && this.#pings.shift()?.())
    client.on('disconnect', ({ reasonCode = 0 }) => this.#giveUp(dismissal(reasonCode)))
    client.on('error', this.#giveUp)
    // An error without a code is emitted by the stream alone.
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

  /** Ends the connection at once, with a reset: nothing that the system still holds of it leaves late. */
  readonly #giveUp = (cause: unknown): void => {
    this.#cause ??= cause
    this.#isUp = false
    // A socket cannot be reset before it is connected or while it shuts down, and holds nothing by then.
    if (this.#socket.connecting || this.#client?.disconnecting) this.#socket.destroy()
    else this.#socket.resetAndDestroy()
  }

  #end(): void {
    const { server, protocol, host, takeOvers } = this.#parts
    this.#isUp = false
    this.#lost = this.#endError(server.label)
    this.#subscriptions.end()
    for (const reject of this.#waits) reject(this.#lost)
    if (this.#openedMs === undefined || this.#isClosing) return
    const nowMs = performance.now()
    takeOvers.note(protocol, codeOf(this.#cause), nowMs - this.#openedMs, nowMs)
    host.down(this.#lost)
  }

  #endError(label: string): RivuletError {
    if (this.#isClosing) return unavailable(`The connection to ${label} was closed.`)
    if (this.#openedMs === undefined) return openError(label, this.#cause)
    return unavailable(`The connection to ${label} is gone: ${reasonOf(this.#cause)}.`, this.#cause)
  }

  #rejected(topic: string, cause: unknown): RivuletError {
    return failed(`${this.#parts.server.label} refused to subscribe to ${topic}: ${reasonOf(cause)}.`, cause)
  }

  /** Returns the client when it can be used. */
  #clientFor(signal: AbortSignal): MqttClient {
    signal.throwIfAborted()
    if (this.#isUp && this.#client?.stream.writable) return this.#client
    throw this.#lost ?? unavailable(`The connection to ${this.#parts.server.label} is not open.`)
  }

  /**
   * Gives the outcome of `begin`. Rejects when the connection ends first, and with the signal's reason when that
   * aborts, unless there is something else to do then.
   */
  async #outcome(signal: AbortSignal, begin: Begin, onAbort?: (reason: unknown) => void): Promise<void> {
    let fail = (_: unknown) => {}
    const abort = () => (onAbort ?? fail)(signal.reason)
    signal.addEventListener('abort', abort)
    const outcome = new Promise<void>((resolve, reject) => {
      fail = reject
      this.#waits.add(reject)
      begin(resolve, reject)
    })
    await outcome.finally(() => {
      this.#waits.delete(fail)
      signal.removeEventListener('abort', abort)
    })
  }
}

function dismissal(reasonCode: number): Error {
  const reason = (ReasonCodes as Record<number, string>)[reasonCode] || 'no reason'
  return new ErrorWithReasonCode(`The broker disconnected: ${reason}`, reasonCode)
}
