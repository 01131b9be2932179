import { Overdue } from './deadline.ts'
import { RivuletError } from './errors.ts'
import { Ingress, type IngressPort } from './ingress.ts'
import type { Member } from './joins.ts'
import type { Link } from './link.ts'
import type { Message } from './message.ts'
import { type LossReason, Outbox } from './outbox.ts'
import type { HubPeers } from './peers.ts'
import type { Topic } from './topic.ts'

/** What the remote side needs of its stream. */
export interface RemotePort extends IngressPort {
  /** Takes an error of the connection that concerns this stream. */
  report(error: Error): void
  lost(reason: LossReason, count: number): void
  /** Tells the subscribers that the topic is joined, or why the broker refused that. */
  joined(refusal?: RivuletError): void
}

/** The side of a stream that faces other processes: its outbox, its ingress, and its place among the joins. */
export class Remote implements Member {
  readonly topic: Topic
  readonly #port: RemotePort
  readonly #link: Link
  readonly #outbox: Outbox
  readonly #ingress: Ingress
  #startedMs: number | undefined
  #latestMs = Number.NEGATIVE_INFINITY
  #isJoined = false

  constructor(topic: Topic, port: RemotePort, link: Link, peers: HubPeers) {
    this.topic = topic
    this.#port = port
    this.#link = link
    this.#ingress = new Ingress(port, peers)
    this.#outbox = new Outbox(topic, port.counters, link, port.options.batch, (reason, count) =>
      port.lost(reason, count),
    )
  }

  /** Sends a message that was accepted at `nowMs`. */
  send(message: Message, wire: object, nowMs: number): void {
    this.#startedMs ??= nowMs
    // A clock that steps back stands still for receivers: they measure ages against it.
    if (nowMs < this.#latestMs) this.#startedMs -= this.#latestMs - nowMs
    this.#latestMs = nowMs
    this.#outbox.add(message, wire, Math.floor(nowMs - this.#startedMs))
  }

  /** Tells the other processes that the stream ends. */
  sendRemoval(origin: string, sequence: number): void {
    this.#outbox.addRemoval(origin, sequence)
  }

  /** Somebody subscribes now, or nobody does any more. */
  listen(isListening: boolean): void {
    if (isListening) this.#link.joins.want(this)
    else {
      this.#link.joins.unwant(this)
      this.left()
    }
  }

  get isJoined(): boolean {
    return this.#isJoined
  }

  joined(): void {
    this.#isJoined = true
    this.#port.joined()
  }

  joinFailed(cause: Error): void {
    this.#port.report(cause)
    if (cause instanceof Overdue) return
    const message = `The broker refused the join: ${cause.message}`
    this.#port.joined(new RivuletError('TRANSPORT_FAILED', message, { cause }))
  }

  left(): void {
    this.#isJoined = false
    this.#ingress.startJoin()
  }

  receive(frame: Uint8Array | string): void {
    this.#ingress.receive(frame)
  }

  /** Leaves the topic; what was accepted before still goes out. */
  close(): void {
    this.#link.joins.unwant(this)
    this.#ingress.close()
  }
}
