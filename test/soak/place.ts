import type { Hub, Message, Stream, Subscription } from 'rivulet'

/** What is published: a number that no other message of the run has. */
export interface Numbered {
  readonly id: number
}

/** A hub of the crowd, and what its ledger is compared with. */
export interface Site {
  readonly index: number
  readonly hub: Hub
  /** Calls of the verbs that publish. */
  attempts: number
  /** Messages of other hubs that subscribers were called with. */
  heard: number
  /** Messages that other hubs published on the streams of this one: it cannot receive more. */
  published: number
  subscribers: number
  /** How often the connection came up or was lost. */
  changes: number
}

/** Told of each message that a subscriber is called with. `isLeft`: after it has unsubscribed. */
type Heard = (place: Place, message: Message<Numbered>, isLeft: boolean) => void

/** A stream at one of its hubs, subscribed to or not. */
export class Place {
  readonly site: Site
  /** Which of the streams. */
  readonly index: number
  /** The message that has to arrive here. */
  awaited: number | undefined
  readonly #heard: Heard
  #subscription: Subscription | undefined
  #reader = { isLeft: true }

  constructor(site: Site, index: number, heard: Heard) {
    this.site = site
    this.index = index
    this.#heard = heard
  }

  get stream(): Stream<Numbered, Numbered> {
    return this.site.hub.stream<Numbered, Numbered>(`stream ${this.index}`)
  }

  get isWanted(): boolean {
    return this.#subscription !== undefined
  }

  /** Resolves when the join is confirmed on this connection, which only a new subscription tells. */
  async joined(): Promise<void> {
    const probe = this.stream.subscribe(() => {})
    this.site.subscribers++
    try {
      await probe.ready
    } finally {
      probe.unsubscribe()
      this.site.subscribers--
    }
  }

  join(): void {
    const reader = { isLeft: false }
    this.#reader = reader
    this.#subscription = this.stream.subscribe((message) => this.#heard(this, message, reader.isLeft))
    this.site.subscribers++
  }

  leave(): void {
    if (this.#subscription === undefined) return
    this.#subscription.unsubscribe()
    this.#left()
  }

  /** Ends the stream at this hub; the next use opens another one. */
  end(): void {
    this.stream.close()
    if (this.#subscription !== undefined) this.#left()
  }

  #left(): void {
    this.#reader.isLeft = true
    this.#subscription = undefined
    this.site.subscribers--
  }
}
