import type { Socket } from 'node:net'
import { errors, type NatsConnection, type Status, type Subscription } from '@nats-io/transport-node'
import type { Topic, TransportHost } from 'rivulet'
import { Ending, type Refusals } from 'rivulet/adapter'
import type { Dialled } from './dial.ts'
import { faultOf, isFatal, lossOf } from './refusal.ts'
import { subjectOf, topicOf } from './subject.ts'

/** The most cached subjects. Building one doubles the cost of a send here (0.8 µs instead of 0.4). */
const MAX_SUBJECTS = 8_192
/**
 * Time for the other servers of a cluster to learn of a join after one has confirmed it. With two servers on one machine
 * 13 to 17 of 200 first messages published at the other server were lost without it, and none with it.
 */
const INTEREST_MS = 25

/** One `join`, or one `watch`. */
interface Join {
  readonly topic: Topic
  readonly subscription: Subscription
  isConfirmed: boolean
  refusal: Error | undefined
}

/** Receives the frames of a link, and its end. */
export interface LinkEvents extends Pick<TransportHost, 'receive' | 'watched' | 'down' | 'error' | 'left'> {
  /** Reports that the server will shut down (lame duck mode). */
  leaving(): void
}

/** The host, the options and the count of refusals. */
export interface LinkSurroundings {
  readonly events: LinkEvents
  readonly prefix: string
  readonly refusals: Refusals
}

/** One connection to one server, from its first PONG to its end. Never reconnects. */
export class Link {
  /** The server as `host:port`. */
  readonly server: string
  /** The server's `max_payload`. A reload may lower it unannounced; the server then disconnects on larger frames. */
  readonly maxFrameBytes: number
  /** The server's id, new at each of its starts. */
  readonly serverId: string | undefined
  /** The last announced servers of the cluster, as `host:port`. */
  clusterServers: readonly string[]
  /** Whether the server has announced its shutdown. */
  isLeaving = false
  readonly #client: NatsConnection
  readonly #socket: Socket | undefined
  readonly #host: LinkEvents
  readonly #prefix: string
  readonly #joins = new Map<Topic, Join>()
  readonly #subjects = new Map<Topic, string>()
  // Shared by the joins that were confirmed in one turn of the event loop.
  #interest: Promise<void> | undefined
  #interestTimers = new Set<ReturnType<typeof setTimeout>>()
  // While true the host may be called. Turns false once, at `down` or at `close`, and stays so.
  #live = true
  // The client never settles a flush after its connection ends; `Ending` settles it.
  readonly #ending = new Ending()
  // The last fault without a command, or the reason for the connection's coming end.
  #lastFault: Error | undefined

  constructor({ server, client, socket }: Dialled, { events, prefix, refusals }: LinkSurroundings) {
    this.server = server
    this.serverId = client.info?.server_id
    this.maxFrameBytes = client.info?.max_payload ?? Infinity
    this.#client = client
    this.#socket = socket
    this.#host = events
    this.#prefix = prefix
    this.clusterServers = client.info?.connect_urls ?? []
    // An expired secret is no final refusal when a function returns the next one.
    void client
      .closed()
      .then((cause) =>
        this.#down(refusals.judge(lossOf(cause ?? this.#lastFault ?? this.#farewell)) as Error),
      )
    void this.#follow()
  }

  /** Whether it can send: neither ended nor closed. */
  get isLive(): boolean {
    return this.#live
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
    // No stream's topic ends like this, so it cannot collide with a join.
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
    await this.#ending.race(() => this.#client.flush(), signal)
    // A refusal precedes the PONG on the wire, but the client reports it up to one macrotask later.
    await new Promise(setImmediate)
  }

  bufferedBytes(): number {
    return this.#socket?.writableLength ?? 0
  }

  /** Flushes until `signal` aborts, then drops the connection. Call again to hasten it. */
  async close(signal: AbortSignal): Promise<void> {
    this.#live = false
    this.#forgetInterest()
    await this.#finish(signal)
  }

  /** Flushes earlier frames, and drops those left when `signal` aborts. */
  async #finish(signal: AbortSignal, why?: string): Promise<void> {
    // A fatal fault is the better reason: the client disconnects on both, a fault and a server that does not answer.
    if (why !== undefined && !isFatal(this.#lastFault)) this.#lastFault = new Error(`the server ${why}`)
    await this.#ending.race(() => this.#client.flush(), signal).catch(() => {})
    await this.#client.close()
  }

  /** Begins a join or a watch. `errorTopic`: the topic to report with a refusal or a fault. */
  #subscribe(
    topic: Topic,
    errorTopic: Topic | undefined,
    take: (subject: string, data: Uint8Array) => void,
  ): Join {
    const subscription = this.#client.subscribe(this.#subjectOf(topic), {
      callback: (refusal, message) => {
        if (!this.#live) return
        if (refusal) return this.#refuse(join, errorTopic, refusal)
        try {
          take(message.subject, message.data)
        } catch (cause) {
          // An exception here would silently end the read loop of the whole connection (nats.js 3.3).
          this.#host.error(errorTopic, faultOf('A frame from NATS was not taken', cause))
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
        // The fault names no join (e.g. "maximum subscriptions exceeded"), so all pending ones fail; unless the server
        // disconnects on this fault, and refuses none of them: then this flush is not answered.
        await this.flush(signal)
        throw this.#lastFault
      }
      await this.#ending.race(() => this.#spreadInterest(), signal)
      if (join.refusal) throw join.refusal
      if (this.#joins.get(join.topic) !== join) throw new Error('left before the join was confirmed')
      join.isConfirmed = true
    } catch (cause) {
      this.#end(join)
      throw cause
    }
  }

  /**
   * Resolves when the other servers of the cluster, if there is one, have had time to learn of the joins confirmed by
   * now: the server forwards them as it answers, and no client can ask whether they have arrived.
   */
  async #spreadInterest(): Promise<void> {
    const { info } = this.#client
    if (info?.cluster === undefined && !info?.connect_urls?.length) return
    this.#interest ??= new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.#interestTimers.delete(timer)
        resolve()
      }, INTEREST_MS)
      this.#interestTimers.add(timer)
      setImmediate(() => {
        this.#interest = undefined
      })
    })
    await this.#interest
  }

  #forgetInterest(): void {
    for (const timer of this.#interestTimers) clearTimeout(timer)
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

  #refuse(join: Join, errorTopic: Topic | undefined, refusal: Error): void {
    join.refusal = refusal
    if (!join.isConfirmed) return
    this.#joins.delete(join.topic)
    this.#host.left(errorTopic, refusal)
  }

  get #farewell(): Error | undefined {
    return this.isLeaving ? new Error('the server shut down (lame duck)') : undefined
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
    if (status.type === 'ldm' && !this.isLeaving) {
      this.isLeaving = true
      this.#host.leaving()
    }
  }

  #fault(error: Error): void {
    if (error instanceof errors.PermissionViolationError) {
      // The callback of a subscription gets it too, with its join.
      if (error.operation !== 'publish') return
      return this.#host.error(topicOf(error.subject, this.#prefix), faultOf('NATS refused a frame', error))
    }
    this.#lastFault = error
    // A fatal one is reported as the end of the connection.
    if (!isFatal(error)) this.#host.error(undefined, faultOf('NATS reports a fault', error))
  }

  #down(cause: Error): void {
    // Before the pending joins fail of it: the core infers from them which join may have caused the loss.
    if (this.#live) this.#host.down(cause)
    this.#live = false
    this.#forgetInterest()
    this.#ending.end(cause)
  }
}
