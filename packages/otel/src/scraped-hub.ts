import type { Hub, Ledger } from 'rivulet'
import { Highest } from './highest.ts'
import { isUp } from './is-up.ts'

/** A hub as the metrics of one collection see it. */
export class ScrapedHub {
  readonly name: string
  readonly #hub: Hub
  readonly #missed = new Highest<'missed'>()
  /** One for all metrics of a collection, so that they add up, and that many streams are summed once. */
  #ledger: Ledger | undefined

  constructor(hub: Hub, name: string) {
    this.#hub = hub
    this.name = name
  }

  get ledger(): Ledger {
    if (this.#ledger !== undefined) return this.#ledger
    // A registry asks all metrics in one go, before the first answer is awaited.
    queueMicrotask(() => {
      this.#ledger = undefined
    })
    const ledger = this.#hub.ledger()
    this.#ledger = { ...ledger, missed: this.#missed.of('missed', ledger.missed) }
    return this.#ledger
  }

  get isUp(): boolean {
    return isUp(this.#hub)
  }
}
