import { errors, type NatsConnection, type Status, type Subscription } from '@nats-io/transport-node'
import type { Topic, TransportHost } from 'rivulet'
import { lossOf } from './refusal.ts'
import { subjectOf, topicOf } from './subject.ts'

/** How many subjects are remembered: making one anew costs a send about as much as all the rest of it here. */
const MAX_SUBJECTS = 8_192

interface Join {
  readonly subscription: Subscription
  confirmed: boolean
  refusal: Error | undefined
}

/** One connection to one server, from its first PONG to its end. Never reconnects. */
export class Connection {
  readonly #client: NatsConnection
  readonly #host: TransportHost
  readonly #prefix: string
  readonly #joins = new Map<Topic, Join>()
  readonly #subjects = new Map<Topic, string>()
  // The client never settles a flush that its connection did not survive; the end of the connection does, here.
  readonly #waits = new Set<(cause: Error) => void>()
  // While true the host may be called. Turns false once, before `down` or at `close`, and stays so.
  #live = true
  // How many refusals came that do not say which command they answer.
  #anonymousRefusals = 0
  #lastRefusal: Error | undefined

  /** Resolves when the socket is gone. */
  readonly ended: Promise<void>
  /** The server's `max_payload`. A reload may lower it without a word; the server then hangs up on larger ones. */
  readonly maxFrameBytes: number
  /** What the server last said about the servers of its cluster, as `host:port`. */
  clusterServers: readonly string[] = []

  constructor(client: NatsConnection, host: TransportHost, prefix: string) {
    this.#client = client
    this.#host = host
    this.#prefix = prefix
    this.maxFrameBytes = client.info?.max_payload ?? Number.POSITIVE_INFINITY
    this.#noteCluster()
    this.ended = client.closed().then((cause) => this.#down(lossOf(cause ?? this.#lastRefusal)))
    void this.#watch()
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
    signal.throwIfAborted()
    if (!this.#live) throw new Error('the connection is gone')
    const join = this.#subscribe(topic)
    const refusals = this.#anonymousRefusals
    try {
      await this.flush(signal)
      // A refusal precedes the PONG on the wire, but the client tells of it up to one macrotask later.
      await new Promise(setImmediate)
      if (join.refusal) throw join.refusal
      // Which join is meant cannot be told (e.g. "maximum subscriptions exceeded"), so all under way fail.
      if (this.#anonymousRefusals !== refusals) throw this.#lastRefusal
      if (this.#joins.get(topic) !== join) throw new Error('left before the join was confirmed')
      join.confirmed = true
    } catch (cause) {
      if (this.#joins.get(topic) === join) this.leave(topic)
      throw cause
    }
  }

  leave(topic: Topic): void {
    this.#joins.get(topic)?.subscription.unsubscribe()
    this.#joins.delete(topic)
  }

  flush(signal: AbortSignal): Promise<void> {
    if (!this.#live) return Promise.reject(new Error('the connection is gone'))
    return this.#wait(this.#client.flush(), signal)
  }

  /** Flushes until `signal` aborts, then drops the connection. May be called again to hasten it. */
  async close(signal: AbortSignal): Promise<void> {
    this.#silence(new Error('the connection was closed'))
    await this.#wait(this.#client.flush(), signal).catch(() => {})
    await this.#client.close()
  }

  #subscribe(topic: Topic): Join {
    const subscription = this.#client.subscribe(subjectOf(topic, this.#prefix), {
      callback: (refusal, message) => {
        if (!this.#live) return
        if (refusal) this.#refuse(topic, join, refusal)
        else this.#receive(topic, message.data)
      },
    })
    const join: Join = { subscription, confirmed: false, refusal: undefined }
    this.#joins.set(topic, join)
    return join
  }

  #subjectOf(topic: Topic): string {
    const known = this.#subjects.get(topic)
    if (known !== undefined) return known
    if (this.#subjects.size === MAX_SUBJECTS) this.#subjects.clear()
    const subject = subjectOf(topic, this.#prefix)
    this.#subjects.set(topic, subject)
    return subject
  }

  #receive(topic: Topic, frame: Uint8Array): void {
    try {
      this.#host.receive(topic, frame)
    } catch (cause) {
      // What is thrown here would end the read loop of the whole connection, silently (nats.js 3.4).
      this.#host.error(topic, cause as Error)
    }
  }

  #refuse(topic: Topic, join: Join, refusal: Error): void {
    join.refusal = refusal
    if (!join.confirmed || this.#joins.get(topic) !== join) return
    this.#joins.delete(topic)
    this.#host.error(topic, refusal)
  }

  async #watch(): Promise<void> {
    for await (const status of this.#client.status()) {
      if (this.#live) this.#take(status)
    }
  }

  #take(status: Status): void {
    if (status.type === 'ldm') {
      this.#down(lossOf(new Error('the server is shutting down (lame duck)')))
      // No deadline of its own: a server that does not answer is given up by the client's pings.
      void this.close(new AbortController().signal)
    } else if (status.type === 'error') {
      this.#fault(status.error)
    } else if (status.type === 'update') {
      this.#noteCluster()
    }
  }

  // Kept here, because the client forgets it at its end.
  #noteCluster(): void {
    this.clusterServers = this.#client.info?.connect_urls ?? this.clusterServers
  }

  #fault(error: Error): void {
    if (error instanceof errors.PermissionViolationError) {
      // The callback of a subscription is told too, and knows its join.
      if (error.operation === 'publish') this.#host.error(topicOf(error.subject, this.#prefix), error)
      return
    }
    this.#anonymousRefusals += 1
    this.#lastRefusal = error
    // The client hangs up on these by itself.
    if (error instanceof errors.AuthorizationError) return
    if (error instanceof errors.UserAuthenticationExpiredError) return
    this.#host.error(undefined, error)
  }

  #down(cause: Error): void {
    const live = this.#live
    this.#silence(cause)
    if (live) this.#host.down(cause)
  }

  #silence(cause: Error): void {
    this.#live = false
    for (const fail of [...this.#waits]) fail(cause)
  }

  #wait(work: Promise<void>, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const fail = (cause: unknown) => {
        this.#waits.delete(fail)
        signal.removeEventListener('abort', onAbort)
        reject(cause)
      }
      const onAbort = () => fail(signal.reason)
      this.#waits.add(fail)
      signal.addEventListener('abort', onAbort, { once: true })
      work.then(() => {
        this.#waits.delete(fail)
        signal.removeEventListener('abort', onAbort)
        resolve()
      }, fail)
      if (signal.aborted) onAbort()
    })
  }
}
