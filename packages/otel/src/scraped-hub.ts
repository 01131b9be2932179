import type { Hub, Ledger } from 'rivulet'
import { Highest } from './highest.ts'
import { isUp } from './is-up.ts'

/** A hub's values in one collection. */
export class ScrapedHub {
  readonly name: string
  readonly #hub: Hub
  readonly #missed = new Highest<'missed' | 'missedAway'>()

  constructor(hub: Hub, name: string) {
    this.#hub = hub
    this.name = name
  }

  /** The same for all metrics of a collection, so that they add up: a registry reads them in one turn. */
  get ledger(): Ledger {
    const ledger = this.#hub.ledger()
    return {
      ...ledger,
      missed: this.#missed.of('missed', ledger.missed),
      missedAway: this.#missed.of('missedAway', ledger.missedAway),
    }
  }

  get isUp(): boolean {
    return isUp(this.#hub)
  }
}
