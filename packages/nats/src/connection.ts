import type { Socket } from 'node:net'
import { errors, type NatsConnection, type Status, type Subscription } from '@nats-io/transport-node'
import type { Topic, TransportHost } from 'rivulet'
import type { Dialled } from './dial.ts'
import { faultOf, isFatal, lossOf } from './refusal.ts'
import { subjectOf, topicOf } from './subject.ts'

/** How many subjects are remembered. Making one anew doubles what a send costs here (0.8 µs in place of 0.4). */
const MAX_SUBJECTS = 8_192
/** How long a server that shuts down may take to answer the last flush. */
const LAST_FLUSH_MS = 2_000

/** One `join`, or one `watch`. */
interface Join {
  readonly topic: Topic
  readonly subscription: Subscription
  isConfirmed: boolean
  refusal: Error | undefined
}

/** One connection to one server, from its first PONG to its end. Never reconnects. */
export class Connection {
  /** As `host:port`. */
  readonly server: string
  /** The server's `max_payload`. A reload may lower it without a word; the server then hangs up on larger ones. */
  readonly maxFrameBytes: number
  /** What the server last said about the servers of its cluster, as `host:port`. */
  clusterServers: readonly string[]
  readonly #client: NatsConnection
  readonly #socket: Socket | undefined
  readonly #host: TransportHost
  readonly #prefix: string
  readonly #joins = new Map<Topic, Join>()
  readonly #subjects = new Map<Topic, string>()
  // While true the host may be called. Turns false once, at `down` or at `close`, and stays so.
  #live = true
  // The client never settles a flush that its connection did not survive; the end of the connection does, here.
  readonly #waits = new Set<(cause: Error) => void>()
  // The last fault that did not say which command it answers, or why the connection is about to end.
  #lastFault: Error | undefined

  constructor({ server, client, socket }: Dialled, host: TransportHost, prefix: string) {
    this.server = server
    this.maxFrameBytes = client.info?.max_payload ?? Infinity
    this.#client = client
    this.#socket = socket
    this.#host = host
    this.#prefix = prefix
    this.clusterServers = client.info?.connect_urls ?? []
    void client.closed().then((cause) => this.#down(lossOf(cause ?? this.#lastFault)))
    void this.#follow()
  }

  send(topic: Topic, frame: Uint8Array | string): 'sent' | 'offline' {
    if (!this.#live) return 'offline'
    try {
      this.#client.publish(this.#subjectOf(topic), frame)
      return 'sent'
    } catch {
      return 'offline'
    }
  }

  async join(topic: Topic, signal: AbortSignal): Promise<void> {
    const join = this.#subscribe(topic, topic, (_subject, data) => this.#host.receive(topic, data))
    await this.#confirm(join, signal)
  }

  async watch(hub: string, signal: AbortSignal): Promise<void> {
    // No stream's topic ends like this, so it stands among the joins without being taken for one.
    const everything = `rivulet/${hub}/>` as Topic
    const join = this.#subscribe(everything, undefined, (subject, data) =>
      this.#host.watched(topicOf(subject, this.#prefix), data),
    )
    signal.addEventListener('abort', () => this.#end(join))
    await this.#confirm(join, signal)
  }

  leave(topic: Topic): void {
    this.#end(this.#joins.get(topic))
  }

  async flush(signal: AbortSignal): Promise<void> {
    if (!this.#live) throw new Error('the connection is gone')
    await this.#wait(this.#client.flush(), signal)
    // A refusal precedes the PONG on the wire, but the client tells of it up to one macrotask later.
    await new Promise(setImmediate)
  }

  heldBytes(): number {
    return this.#socket?.writableLength ?? 0
  }

  /** Flushes until `signal` aborts, then drops the connection. May be called again to hasten it. */
  async close(signal: AbortSignal): Promise<void> {
    this.#live = false
    await this.#finish(signal)
  }

  /** Hands over what was sent before, and drops what has not got through when `signal` aborts. */
  async #finish(signal: AbortSignal, why?: string): Promise<void> {
    // A fatal fault is the better reason: the client hangs up on it as on a server that does not answer.
    if (why !== undefined && !isFatal(this.#lastFault)) this.#lastFault = new Error(`the server ${why}`)
    await this.#wait(this.#client.flush(), signal).catch(() => {})
    await this.#client.close()
  }

  /** `told` is the topic that the host is told with a refusal and a fault. */
  #subscribe(topic: Topic, told: Topic | undefined, take: (subject: string, data: Uint8Array) => void): Join {
    const subscription = this.#client.subscribe(this.#subjectOf(topic), {
      callback: (refusal, message) => {
        if (!this.#live) return
        if (refusal) return this.#refuse(join, told, refusal)
        try {
          take(message.subject, message.data)
        } catch (cause) {
          // What is thrown here would end the read loop of the whole connection, silently (nats.js 3.3).
          this.#host.error(told, faultOf('A frame from NATS was not taken', cause))
        }
      },
    })
    const join: Join = { topic, subscription, isConfirmed: false, refusal: undefined }
    this.#joins.set(topic, join)
    return join
  }

  async #confirm(join: Join, signal: AbortSignal): Promise<void> {
    const lastFault = this.#lastFault
    try {
      await this.flush(signal)
      if (join.refusal) throw join.refusal
      if (this.#lastFault !== lastFault) {
        // Which join is meant cannot be told (e.g. "maximum subscriptions exceeded"), so all under way fail; or it
        // was a fault on which the server hangs up, and none of them is refused: then this flush is not answered.
        await this.flush(signal)
        throw this.#lastFault
      }
      if (this.#joins.get(join.topic) !== join) throw new Error('left before the join was confirmed')
      join.isConfirmed = true
    } catch (cause) {
      this.#end(join)
      throw cause
    }
  }

  /** Ends a join, unless it has ended. */
  #end(join: Join | undefined): void {
    if (join === undefined || this.#joins.get(join.topic) !== join) return
    this.#joins.delete(join.topic)
    join.subscription.unsubscribe()
  }

  #subjectOf(topic: Topic): string {
    const known = this.#subjects.get(topic)
    if (known !== undefined) return known
    if (this.#subjects.size === MAX_SUBJECTS) this.#subjects.clear()
    const subject = subjectOf(topic, this.#prefix)
    this.#subjects.set(topic, subject)
    return subject
  }

  #refuse(join: Join, told: Topic | undefined, refusal: Error): void {
    join.refusal = refusal
    if (!join.isConfirmed) return
    this.#joins.delete(join.topic)
    this.#host.left(told, refusal)
  }

  async #follow(): Promise<void> {
    for await (const status of this.#client.status()) {
      this.clusterServers = this.#client.info?.connect_urls ?? this.clusterServers
      if (this.#live) this.#take(status)
    }
  }

  #take(status: Status): void {
    if (status.type === 'error') this.#fault(status.error)
    if (status.type === 'staleConnection') void this.#finish(AbortSignal.abort(), 'does not answer')
    if (status.type === 'ldm') void this.#finish(AbortSignal.timeout(LAST_FLUSH_MS), 'ends soon (lame duck)')
  }

  #fault(error: Error): void {
    if (error instanceof errors.PermissionViolationError) {
      // The callback of a subscription is told too, and knows its join.
      if (error.operation !== 'publish') return
      return this.#host.error(topicOf(error.subject, this.#prefix), faultOf('NATS refused a frame', error))
    }
    this.#lastFault = error
    // A fatal one is told as the end of the connection.
    if (!isFatal(error)) this.#host.error(undefined, faultOf('NATS reports a fault', error))
  }

  #down(cause: Error): void {
    // Before the joins under way fail of it: the core tells from them which one may have cost the connection.
    if (this.#live) this.#host.down(cause)
    this.#live = false
    for (const fail of this.#waits) fail(cause)
  }

  /** Settles like `work`, or rejects when `signal` aborts or the connection ends. Leaves no listener behind. */
  async #wait(work: Promise<void>, signal: AbortSignal): Promise<void> {
    let fail = (_cause: unknown) => {}
    const failed = new Promise<never>((_resolve, reject) => {
      fail = reject
    })
    const abort = () => fail(signal.reason)
    if (signal.aborted) abort()
    signal.addEventListener('abort', abort)
    this.#waits.add(fail)
    await Promise.race([work, failed]).finally(() => {
      signal.removeEventListener('abort', abort)
      this.#waits.delete(fail)
    })
  }
}
