import type { Hub, Ledger, Stream } from 'rivulet'
import type { DestinationTemplate } from './attributes.ts'

/** A mutable ledger of many streams. */
type Sums = { -readonly [Name in keyof Ledger]: Ledger[Name] }

/** A stream at the last collection. */
interface SeenStream {
  readonly group: string | undefined
  /** `undefined` at first: not in the sum of its group yet. */
  ledger: Ledger | undefined
}

/** Splits a hub's ledger by the groups of its streams. Kept between collections, so that no sum decreases. */
export class GroupedLedgers {
  readonly #hub: Hub
  readonly #template: DestinationTemplate
  /** The open streams, and ended ones until their last message is settled. */
  readonly #streams = new Map<Stream, SeenStream>()
  /** The sum of each group, ended streams included. */
  readonly #sums = new Map<string, Sums>()

  constructor(hub: Hub, template: DestinationTemplate) {
    this.#hub = hub
    this.#template = template
  }

  /**
   * Returns the ledger of each group, and under `undefined` that of the rest: streams without a group, and those that
   * opened and ended between two calls. Only the ledgers that changed since the last call are added up: a stream returns
   * the same object as long as it counts nothing.
   */
  read(): Map<string | undefined, Ledger> {
    for (const stream of this.#hub.streams()) {
      if (this.#streams.has(stream)) continue
      this.#streams.set(stream, { group: this.#template(stream.name), ledger: undefined })
    }
    for (const [stream, seen] of this.#streams) this.#update(stream, seen)
    const rest = copyOf(this.#hub.ledger())
    for (const sums of this.#sums.values()) add(sums, rest, -1)
    return new Map<string | undefined, Ledger>(this.#sums).set(undefined, rest)
  }

  #update(stream: Stream, seen: SeenStream): void {
    const { group } = seen
    const ledger = stream.ledger()
    if (ledger !== seen.ledger && group !== undefined) {
      const sums = this.#sums.get(group)
      if (seen.ledger !== undefined) add(seen.ledger, sums as Sums, -1)
      if (sums === undefined) this.#sums.set(group, copyOf(ledger))
      else add(ledger, sums, 1)
    }
    seen.ledger = ledger
    if (stream.closed && ledger.inFlight === 0 && ledger.waiting === 0) this.#streams.delete(stream)
  }
}

function copyOf({ refused, lost, dropped, ...counts }: Ledger): Sums {
  return { ...counts, refused: { ...refused }, lost: { ...lost }, dropped: { ...dropped } }
}

/** Adds every number of a ledger to that of the same name, or subtracts it. */
function add(counts: object, to: object, sign: 1 | -1): void {
  const terms = counts as Record<string, number | object>
  const sums = to as typeof terms
  for (const name in terms) {
    const term = terms[name] as number | object
    if (typeof term === 'number') (sums[name] as number) += sign * term
    else add(term, sums[name] as object, sign)
  }
}
