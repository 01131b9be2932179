import type { Topic } from 'rivulet'
import type { ResolvedOptions } from './bus-options.ts'
import { type Client, type Connection, callHost, type Subscription } from './client.ts'
import { Deliveries } from './deliveries.ts'

/** A call that is paused until `thaw`. Neither function may throw. */
interface PausedCall {
  readonly owner: Connection | Subscription
  /** Ends the pause; a buffered frame has no signal. */
  readonly signal?: AbortSignal
  readonly proceed: () => void
  /** Runs instead of `proceed` when the call is cancelled. */
  readonly fail: (cause: unknown) => void
}

/**
 * Keeps the connections, joins and partitions of one bus, routes frames by them, and pauses calls while the bus is
 * frozen.
 */
export class Broker {
  readonly options: ResolvedOptions
  readonly deliveries: Deliveries
  readonly #connections = new Set<Connection>()
  #partitions: { readonly a: ReadonlySet<Client>; readonly b: ReadonlySet<Client> }[] = []
  #isFrozen = false
  // In call order; `thaw` runs them in this order.
  #pausedCalls: PausedCall[] = []
  #downCause: Error | undefined

  constructor(options: ResolvedOptions) {
    this.options = options
    this.deliveries = new Deliveries(options)
  }

  async open(connection: Connection, signal: AbortSignal): Promise<void> {
    this.#connections.add(connection)
    try {
      if (this.#downCause) throw this.#downCause
      await this.#pass(connection, signal)
      if (connection.state === 'ended') throw this.#downCause ?? closedWhileOpening()
      connection.state = 'up'
    } catch (cause) {
      this.#end(connection)
      throw cause
    }
  }

  send(connection: Connection, nth: number, topic: Topic, frame: Uint8Array | string): 'sent' | 'offline' {
    const bytes = typeof frame === 'string' ? encoder.encode(frame) : frame
    if (bytes.byteLength > this.options.maxFrameBytes) return 'offline'
    if (this.#isFrozen) this.#pauseFrame(connection, nth, topic, bytes)
    else this.#route(connection.client, nth, topic, bytes)
    return 'sent'
  }

  async join(connection: Connection, topic: Topic, signal: AbortSignal): Promise<void> {
    this.leave(connection, topic)
    const subscription: Subscription = { connection, topic, state: 'joining' }
    connection.subscriptions.set(topic, subscription)
    try {
      await this.#pass(subscription, signal, () => {
        subscription.state = 'joined'
      })
      if (subscription.state === 'ended') throw leftBeforeConfirmed(topic)
    } catch (cause) {
      this.#unsubscribe(subscription)
      throw cause
    }
  }

  /** Watches a hub: joins the common prefix of its topics. */
  async watch(connection: Connection, hub: string, signal: AbortSignal): Promise<void> {
    const beginning = `rivulet/${hub}/` as Topic
    const joining = this.join(connection, beginning, signal)
    // Read now: by the time of the abort a later watch may have replaced it.
    const subscription = connection.subscriptions.get(beginning) as Subscription
    // Before the await: the signal may abort after the bus has confirmed and before this resumes.
    signal.addEventListener('abort', () => this.#unsubscribe(subscription))
    await joining
  }

  leave(connection: Connection, topic: Topic): void {
    const subscription = connection.subscriptions.get(topic)
    if (subscription) this.#unsubscribe(subscription)
  }

  /** Resolves when the bus has every frame sent before, delivered or not. */
  async flush(connection: Connection, signal: AbortSignal): Promise<void> {
    await this.#pass(connection, signal)
  }

  /**
   * Ends a connection: its host receives nothing more; frames that it sent stay in flight. Resolves when the bus has
   * all of them. Frames still paused by a freeze when `signal` aborts are cut.
   */
  async close(connection: Connection, signal: AbortSignal): Promise<void> {
    this.#end(connection)
    if (!this.#pausedCalls.some(({ owner }) => owner === connection)) return
    try {
      await this.#pass(connection, signal)
    } catch (cause) {
      this.#giveUp(cause, ({ owner }) => owner === connection)
    }
  }

  partition(a: ReadonlySet<Client>, b: ReadonlySet<Client>): void {
    this.#partitions.push({ a, b })
  }

  heal(): void {
    this.#partitions = []
  }

  freeze(): void {
    this.#isFrozen = true
    this.deliveries.pause()
  }

  thaw(): void {
    this.#isFrozen = false
    for (const { proceed } of this.#pausedCalls.splice(0)) proceed()
    this.deliveries.resume()
  }

  down(cause: Error): void {
    this.#downCause = cause
    this.#giveUp(cause, () => true)
    this.deliveries.drop('cut')
    const open = [...this.#connections].filter(({ state }) => state === 'up')
    for (const connection of this.#connections) this.#end(connection)
    for (const { host } of open) callHost(host, undefined, () => host.down(cause))
  }

  up(): void {
    this.#downCause = undefined
  }

  /** Runs an action now, or at `thaw` while frozen. Rejects when the signal aborts or the call is cancelled. */
  async #pass(owner: PausedCall['owner'], signal: AbortSignal, action = () => {}): Promise<void> {
    signal.throwIfAborted()
    if (this.#isFrozen) await this.#pause(owner, signal, action)
    // The await gives an abort right after the call time to take effect.
    else await action()
    signal.throwIfAborted()
  }

  async #pause(owner: PausedCall['owner'], signal: AbortSignal, action: () => void): Promise<void> {
    const giveUp = () => this.#giveUp(signal.reason, (call) => call.signal === signal)
    signal.addEventListener('abort', giveUp)
    try {
      await new Promise<void>((resolve, fail) => {
        const proceed = () => {
          action()
          resolve()
        }
        this.#pausedCalls.push({ owner, signal, proceed, fail })
      })
    } finally {
      signal.removeEventListener('abort', giveUp)
    }
  }

  #pauseFrame(owner: Connection, nth: number, topic: Topic, bytes: Uint8Array): void {
    const sender = owner.client
    // The sender may use its bytes again.
    const kept = new Uint8Array(bytes)
    const proceed = () => this.#route(sender, nth, topic, kept)
    const fail = () => {
      for (const { connection } of this.#receivers(sender, topic))
        this.deliveries.lose(connection.client, 'cut')
    }
    this.#pausedCalls.push({ owner, proceed, fail })
  }

  #giveUp(cause: unknown, isMeant: (call: PausedCall) => boolean): void {
    const givenUp = this.#pausedCalls.filter(isMeant)
    this.#pausedCalls = this.#pausedCalls.filter((call) => !isMeant(call))
    for (const { fail } of givenUp) fail(cause)
  }

  #route(sender: Client, nth: number, topic: Topic, bytes: Uint8Array): void {
    for (const subscription of this.#receivers(sender, topic)) {
      const receiver = subscription.connection.client
      if (this.#isParted(sender, receiver)) this.deliveries.lose(receiver, 'partitioned')
      else this.deliveries.send(sender, nth, subscription, topic, bytes)
    }
  }

  #receivers(sender: Client, topic: Topic): Subscription[] {
    const receivers: Subscription[] = []
    const beginning = topic.slice(0, topic.lastIndexOf('/') + 1) as Topic
    for (const { client, subscriptions } of this.#connections) {
      if (client === sender && !this.options.echoes) continue
      for (const key of [topic, beginning]) {
        const subscription = subscriptions.get(key)
        if (subscription?.state === 'joined') receivers.push(subscription)
      }
    }
    return receivers
  }

  #isParted(one: Client, other: Client): boolean {
    return this.#partitions.some(({ a, b }) => (a.has(one) && b.has(other)) || (a.has(other) && b.has(one)))
  }

  #end(connection: Connection): void {
    const isItsOpening = ({ owner }: PausedCall) => owner === connection && connection.state === 'opening'
    this.#giveUp(closedWhileOpening(), isItsOpening)
    connection.state = 'ended'
    this.#connections.delete(connection)
    for (const subscription of connection.subscriptions.values()) this.#unsubscribe(subscription)
    this.deliveries.drop('left', connection)
  }

  #unsubscribe(subscription: Subscription): void {
    // A join that is left while paused ends here twice; the second time a later join may own the topic.
    if (subscription.state === 'ended') return
    subscription.state = 'ended'
    const { connection, topic } = subscription
    connection.subscriptions.delete(topic)
    this.#giveUp(leftBeforeConfirmed(topic), ({ owner }) => owner === subscription)
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
