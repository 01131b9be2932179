import type { Hub, Ledger } from 'rivulet'
import { Highest } from './highest.ts'
import { isUp } from './is-up.ts'

/** A hub as the metrics of one collection see it. */
export class ScrapedHub {
  readonly name: string
  readonly #hub: Hub
  readonly #missed = new Highest<'missed'>()

  constructor(hub: Hub, name: string) {
    this.#hub = hub
    this.name = name
  }

  /** The same for all metrics of a collection, so that they add up: a registry asks them in one go. */
  get ledger(): Ledger {
    const ledger = this.#hub.ledger()
    return { ...ledger, missed: this.#missed.of('missed', ledger.missed) }
  }

  get isUp(): boolean {
    return isUp(this.#hub)
  }
}
