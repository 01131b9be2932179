import type { Topic } from 'rivulet'
import type { ResolvedOptions } from './bus-options.ts'
import { Carrier } from './carrier.ts'
import { type Connection, callHost, type Peer, type Subscription } from './connection.ts'
import { Gate } from './gate.ts'

/** The middle of the bus: who is connected, who has joined what, and what is held while the bus is frozen. */
export class Broker {
  readonly options: ResolvedOptions
  readonly carrier: Carrier
  readonly #connections = new Set<Connection>()
  readonly #routes = new Map<Topic, Set<Subscription>>()
  readonly #gate = new Gate()
  #downCause: Error | undefined

  constructor(options: ResolvedOptions) {
    this.options = options
    this.carrier = new Carrier(options)
  }

  async admit(connection: Connection, signal: AbortSignal): Promise<void> {
    if (this.#downCause) throw this.#downCause
    await this.#gate.wait(connection, signal, () => {})
    signal.throwIfAborted()
    if (this.#downCause) throw this.#downCause
    if (connection.state === 'gone') throw closedWhileOpening()
    connection.state = 'up'
    this.#connections.add(connection)
  }

  async join(connection: Connection, topic: Topic, signal: AbortSignal): Promise<void> {
    this.leave(connection, topic)
    const subscription: Subscription = { connection, topic, isActive: true }
    connection.subscriptions.set(topic, subscription)
    try {
      await this.#gate.wait(subscription, signal, () => this.#addRoute(subscription))
      signal.throwIfAborted()
      if (!subscription.isActive) throw leftBeforeConfirmed(topic)
    } catch (cause) {
      this.#end(subscription)
      throw cause
    }
  }

  leave(connection: Connection, topic: Topic): void {
    const subscription = connection.subscriptions.get(topic)
    if (subscription) this.#end(subscription)
  }

  async flush(connection: Connection, signal: AbortSignal): Promise<void> {
    await this.#gate.wait(connection, signal, () => {})
    signal.throwIfAborted()
  }

  take(sender: Connection, nth: number, topic: Topic, frame: Uint8Array | string): 'sent' | 'offline' {
    const bytes = typeof frame === 'string' ? encoder.encode(frame) : frame
    if (bytes.byteLength > this.options.maxFrameBytes) return 'offline'
    if (this.#gate.isShut) this.#hold(sender, nth, topic, bytes)
    else this.#dispatch(sender.peer, nth, topic, bytes)
    return 'sent'
  }

  /** Ends a connection: its host hears nothing more. What it sent stays on its way. */
  dismiss(connection: Connection): void {
    if (connection.state === 'opening') this.#gate.drop(closedWhileOpening(), connection)
    connection.state = 'gone'
    this.#connections.delete(connection)
    for (const subscription of connection.subscriptions.values()) this.#end(subscription)
    this.carrier.dropLeft(connection)
  }

  /** Resolves when the bus has what a dismissed connection sent; on abort the rest is cut. Never rejects. */
  async handOver(connection: Connection, signal: AbortSignal): Promise<void> {
    try {
      await this.#gate.wait(connection, signal, () => {})
    } catch (cause) {
      this.#gate.drop(cause, connection)
    }
  }

  freeze(): void {
    this.#gate.shut()
    this.carrier.pause()
  }

  thaw(): void {
    this.#gate.open()
    this.carrier.resume()
  }

  down(cause: Error): void {
    this.#downCause = cause
    this.#gate.drop(cause)
    this.carrier.cutAll()
    const connections = [...this.#connections]
    for (const connection of connections) this.dismiss(connection)
    for (const { host } of connections) callHost(host, undefined, () => host.down(cause))
  }

  up(): void {
    this.#downCause = undefined
  }

  #hold(sender: Connection, nth: number, topic: Topic, bytes: Uint8Array): void {
    const held = new Uint8Array(bytes)
    this.#gate.enter({
      owner: sender,
      pass: () => this.#dispatch(sender.peer, nth, topic, held),
      drop: () => this.#toReceivers(sender.peer, topic, (subscription) => this.carrier.cut(subscription)),
    })
  }

  #dispatch(sender: Peer, nth: number, topic: Topic, bytes: Uint8Array): void {
    this.#toReceivers(sender, topic, (receiver) => this.carrier.carry(sender, nth, receiver, bytes))
  }

  #toReceivers(sender: Peer, topic: Topic, act: (subscription: Subscription) => void): void {
    const joined = this.#routes.get(topic)
    if (!joined) return
    for (const subscription of joined) {
      if (this.options.echoes || subscription.connection.peer !== sender) act(subscription)
    }
  }

  #addRoute(subscription: Subscription): void {
    const joined = this.#routes.get(subscription.topic)
    if (joined) joined.add(subscription)
    else this.#routes.set(subscription.topic, new Set([subscription]))
  }

  #end(subscription: Subscription): void {
    if (!subscription.isActive) return
    subscription.isActive = false
    const { connection, topic } = subscription
    // The core never joins what is joined; whoever does all the same keeps the later join, and no test comes here.
    if (connection.subscriptions.get(topic) === subscription) connection.subscriptions.delete(topic)
    const joined = this.#routes.get(topic)
    joined?.delete(subscription)
    if (joined?.size === 0) this.#routes.delete(topic)
    if (this.#gate.isShut) this.#gate.drop(leftBeforeConfirmed(topic), subscription)
  }
}

const encoder = new TextEncoder()

function closedWhileOpening(): Error {
  return new Error('The transport was closed while it was opening; open it again.')
}

function leftBeforeConfirmed(topic: Topic): Error {
  return new Error(
    `The join of ${topic} ended before it was confirmed: the topic was left, or the bus went down.`,
  )
}
