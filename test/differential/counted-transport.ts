import { setImmediate as turn } from 'node:timers/promises'
import type { Capabilities, Topic, Transport, TransportHost } from 'rivulet'
import { forwardingHost } from '../support/wrong-transports/wrong-transport.ts'

/** Counts the frames between the transports of one run: what each has still to get. */
export class Wire {
  /** Frames that were sent. */
  sends = 0
  /** Frames that came and that nobody had sent, or that came twice. */
  surplus = 0
  readonly #transports: CountedTransport[] = []
  #arrived: (() => void) | undefined

  /** Puts a counter around a transport. It claims and does what `claims` say, where they are given. */
  count(inner: Transport, claims?: Capabilities): Transport {
    const counted = new CountedTransport(inner, this, claims)
    this.#transports.push(counted)
    return counted
  }

  /** How many frames each transport has still to get, in the order of `count`. */
  get due(): number[] {
    return this.#transports.map(({ due }) => due)
  }

  /** Resolves when every frame has come, or the patience is over. */
  async arrived(patienceMs: number): Promise<void> {
    if (this.due.every((due) => due <= 0)) return
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, patienceMs)
      this.#arrived = () => {
        if (this.due.some((due) => due > 0)) return
        clearTimeout(timer)
        resolve()
      }
    })
    this.#arrived = undefined
  }

  sent(topic: Topic, sender: CountedTransport): void {
    this.sends++
    for (const transport of this.#transports) transport.expect(topic, transport === sender)
  }

  took(): void {
    this.#arrived?.()
  }
}

class CountedTransport implements Transport {
  readonly name: string
  readonly #inner: Transport
  readonly #wire: Wire
  readonly #claims: Capabilities | undefined
  /** Frames that are on their way, by joined topic, and those of a watch. */
  readonly #dueOf = new Map<Topic, number>()
  #dueToWatch: number | undefined

  constructor(inner: Transport, wire: Wire, claims: Capabilities | undefined) {
    this.name = inner.name
    this.#inner = inner
    this.#wire = wire
    this.#claims = claims
  }

  get capabilities(): Capabilities {
    return this.#claims ?? this.#inner.capabilities
  }

  get due(): number {
    let sum = this.#dueToWatch ?? 0
    for (const due of this.#dueOf.values()) sum += due
    return sum
  }

  expect(topic: Topic, isOwn: boolean): void {
    const due = this.#dueOf.get(topic)
    if (due !== undefined && (!isOwn || this.capabilities.echoes)) this.#dueOf.set(topic, due + 1)
    if (this.#dueToWatch !== undefined && !isOwn) this.#dueToWatch++
  }

  /** What is published at once after a hub was made finds it not up yet, on every transport. */
  async open(host: TransportHost, signal: AbortSignal): Promise<void> {
    await turn()
    this.#forget()
    const receive: TransportHost['receive'] = (topic, frame) => {
      const due = this.#less(this.#dueOf.get(topic))
      if (this.#dueOf.has(topic)) this.#dueOf.set(topic, due)
      host.receive(topic, frame)
      this.#wire.took()
    }
    const watched: TransportHost['watched'] = (topic, frame) => {
      this.#dueToWatch = this.#less(this.#dueToWatch)
      host.watched(topic, frame)
      this.#wire.took()
    }
    await this.#inner.open({ ...forwardingHost(host), receive, watched }, signal)
  }

  send(topic: Topic, frame: Uint8Array | string): 'sent' | 'offline' {
    this.#wire.sent(topic, this) // before, since a transport may hand it over at once
    return this.#inner.send(topic, frame)
  }

  async join(topic: Topic, signal: AbortSignal): Promise<void> {
    await this.#inner.join(topic, signal)
    if (!signal.aborted) this.#dueOf.set(topic, 0)
  }

  leave(topic: Topic): void {
    this.#inner.leave(topic)
    this.#dueOf.delete(topic)
    this.#wire.took()
  }

  async watch(hub: string, signal: AbortSignal): Promise<void> {
    if (!this.capabilities.watch) throw new Error('watches nothing')
    await this.#inner.watch(hub, signal)
    this.#dueToWatch = 0
    signal.addEventListener('abort', () => {
      this.#dueToWatch = undefined
      this.#wire.took()
    })
  }

  flush(signal: AbortSignal): Promise<void> {
    return this.#inner.flush(signal)
  }

  async close(signal: AbortSignal): Promise<void> {
    await this.#inner.close(signal)
    this.#forget()
  }

  #less(due = 0): number {
    if (due === 0) this.#wire.surplus++
    return Math.max(0, due - 1)
  }

  #forget(): void {
    this.#dueOf.clear()
    this.#dueToWatch = undefined
    this.#wire.took()
  }
}
