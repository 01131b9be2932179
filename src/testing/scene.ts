import type { Topic } from 'rivulet'
import { topicOf } from '../message/topic.ts'
import type { ContractBackend } from './contract-backend.ts'
import { Peer } from './peer.ts'
import { within } from './within.ts'

// Without an order of frames, this many fences have to return before earlier frames count as arrived.
const FENCES_WHEN_UNORDERED = 64

/** The setting of one check: a backend, its transports, and topics of its own. */
export class Scene {
  readonly backend: ContractBackend
  readonly waitMs: number
  readonly #hubName = `contract-${crypto.randomUUID()}`
  readonly #peers: Peer[] = []
  #fences = 0

  constructor(backend: ContractBackend, waitMs: number) {
    this.backend = backend
    this.waitMs = waitMs
  }

  /** Makes a topic that no other check uses; the same name gives the same one. */
  topic(name = 'a'): Topic {
    return topicOf(this.#hubName, name)
  }

  /** Makes a transport that is not open yet. */
  make(): Peer {
    const peer = new Peer(this.backend.transport(), this.#hubName, this.waitMs)
    this.#peers.push(peer)
    return peer
  }

  async open(): Promise<Peer> {
    const peer = this.make()
    await peer.open()
    return peer
  }

  /** Makes an open transport that has joined these topics. */
  async listen(...topics: Topic[]): Promise<Peer> {
    const peer = await this.open()
    for (const topic of topics) await peer.join(topic)
    return peer
  }

  /**
   * Waits until earlier frames of `from` have reached `to`, or never will: frames on a topic of their own follow them
   * and have to arrive. Shows, too, that both still work.
   */
  async settle(from: Peer, to: Peer): Promise<void> {
    const fence = this.topic(`fence ${this.#fences++}`)
    const count = from.transport.capabilities.ordered ? 1 : FENCES_WHEN_UNORDERED
    await to.join(fence)
    for (let sent = 0; sent < count; sent += 1) from.send(fence, `fence ${sent}`)
    await to.receives(fence, count)
    to.transport.leave(fence)
  }

  /** Fails unless two transports receive frames of each other. */
  async talk(one: Peer, other: Peer): Promise<void> {
    await this.settle(one, other)
    await this.settle(other, one)
  }

  /** Closes everything. Errors of closing have checks of their own. */
  async end(): Promise<void> {
    await Promise.allSettled(this.#peers.map((peer) => peer.close(AbortSignal.timeout(50))))
    await within(this.waitMs, 'the backend to close', this.backend.close())
  }
}
