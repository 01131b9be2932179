import assert from 'node:assert/strict'
import { expectLaws } from '../support/ledger-laws.ts'
import type { Crowd, Witness } from './crowd.ts'
import type { Site } from './place.ts'

/** So many streams are looked at each time. */
const STREAMS_A_LOOK = 5

/**
 * Compares ledgers with what truly happened: each time that of one hub and those of a few streams, in turn, since all
 * at a time would keep the process busy for long.
 */
export class LedgerCheck {
  readonly #crowd: Crowd
  readonly #witness: Witness
  #nextSite = 0
  #nextStream = 0

  constructor(crowd: Crowd, witness: Witness) {
    this.#crowd = crowd
    this.#witness = witness
  }

  look(): void {
    const { sites } = this.#crowd
    this.#nextSite = (this.#nextSite + 1) % sites.length
    this.#judge(() => {
      compare(sites[this.#nextSite] as Site)
      for (let count = 0; count < STREAMS_A_LOOK; count++) this.#lookAtNextStream()
    })
  }

  lookAtAllHubs(): void {
    for (const site of this.#crowd.sites) this.#judge(() => compare(site))
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
    this.#nextStream = (this.#nextStream + 1) % places.length
    if (this.#crowd.rests(this.#nextStream)) return
    for (const { stream } of places[this.#nextStream] ?? []) expectLaws(stream.ledger())
  }
}

function compare({ hub, attempts, heard, published, subscribers }: Site): void {
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
