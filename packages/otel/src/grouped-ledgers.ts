import type { Hub, Ledger, Stream } from 'rivulet'
import type { DestinationTemplate } from './attributes.ts'

/** Splits a hub's ledger by the groups that its streams belong to. Kept between collections, so that no sum falls. */
export class GroupedLedgers {
  readonly #hub: Hub
  readonly #template: DestinationTemplate
  /** Streams that were seen, with their groups; those that have ended, until the last message is settled. */
  readonly #streams = new Map<Stream, string | undefined>()
  /** Sums of the streams that have ended, by group. */
  readonly #ended = new Map<string, Ledger>()

  constructor(hub: Hub, template: DestinationTemplate) {
    this.#hub = hub
    this.#template = template
  }

  /**
   * Gives the ledger of each group. Under `undefined` stands the rest: streams without a group, and those that opened
   * and ended between two calls.
   */
  read(): Map<string | undefined, Ledger> {
    for (const stream of this.#hub.streams()) {
      if (!this.#streams.has(stream)) this.#streams.set(stream, this.#template(stream.name))
    }
    const sums = new Map<string | undefined, Ledger>(this.#ended)
    for (const [stream, group] of this.#streams) this.#add(stream, group, sums)
    let rest = this.#hub.ledger()
    for (const ledger of sums.values()) rest = combined(rest, ledger, -1)
    return sums.set(undefined, rest)
  }

  #add(stream: Stream, group: string | undefined, sums: Map<string | undefined, Ledger>): void {
    const ledger = stream.ledger()
    const isSettled = stream.closed && ledger.inFlight === 0 && ledger.waiting === 0
    if (isSettled) this.#streams.delete(stream)
    if (group === undefined) return
    if (isSettled) this.#ended.set(group, sumOf(this.#ended.get(group), ledger))
    sums.set(group, sumOf(sums.get(group), ledger))
  }
}

function sumOf(sum: Ledger | undefined, ledger: Ledger): Ledger {
  return sum === undefined ? ledger : combined(sum, ledger, 1)
}

/** Adds every number of a ledger to that of the same name, or takes it away. */
function combined<Counts extends object>(one: Counts, other: Counts, sign: 1 | -1): Counts {
  const others = Object.values(other)
  const entries = Object.entries(one).map(([name, value], index) => {
    const otherValue = others[index]
    const isCount = typeof value === 'number'
    return [name, isCount ? value + sign * otherValue : combined(value, otherValue, sign)]
  })
  return Object.fromEntries(entries) as Counts
}
