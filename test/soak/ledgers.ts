import assert from 'node:assert/strict'
import { expectLaws } from '../support/ledger-laws.ts'
import type { Crowd, Witness } from './crowd.ts'

/** So many streams are looked at each time, in turn: a look at all of them would keep the process busy. */
const STREAMS_A_LOOK = 100

/** Looks at the ledgers of all hubs and of the next streams, and compares them with what truly happened. */
export class LedgerCheck {
  readonly #crowd: Crowd
  readonly #witness: Witness
  #next = 0

  constructor(crowd: Crowd, witness: Witness) {
    this.#crowd = crowd
    this.#witness = witness
  }

  look(): void {
    this.lookAtHubs()
    this.#judge(() => {
      for (let count = 0; count < STREAMS_A_LOOK; count++) this.#lookAtNextStream()
    })
  }

  lookAtHubs(): void {
    this.#judge(() => this.#compare())
  }

  #judge(look: () => void): void {
    try {
      look()
    } catch (error) {
      this.#witness.broken('every ledger adds up', String(error))
    }
  }

  #lookAtNextStream(): void {
    const { places } = this.#crowd
    this.#next = (this.#next + 1) % places.length
    if (this.#crowd.rests(this.#next)) return
    for (const { stream } of places[this.#next] ?? []) expectLaws(stream.ledger())
  }

  #compare(): void {
    for (const { hub, attempts, heard, published, subscribers } of this.#crowd.sites) {
      const ledger = hub.ledger()
      const { received, missed, delivered, dropped } = ledger
      const note = JSON.stringify({ heard, published, ledger })
      expectLaws(ledger)
      assert.equal(ledger.attempts, attempts, `every attempt is counted: ${note}`)
      assert.equal(delivered, heard, `what is delivered is heard once: ${note}`)
      assert.equal(ledger.subscribers, subscribers, `subscribers are counted: ${note}`)
      const fromOthers = received - dropped.echo + missed
      assert.ok(fromOthers <= published, `nothing is received or missed that nobody published: ${note}`)
      const { malformed, tooLarge, duplicate, schema } = dropped
      const wrong = malformed + tooLarge + duplicate + schema + ledger.listenerErrors
      assert.equal(wrong, 0, `nothing comes changed or twice: ${note}`)
    }
  }
}
