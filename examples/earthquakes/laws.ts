import type { Ledger } from 'rivulet'
import type { ReaderAccount } from './cast.ts'

/** One sum of a ledger: the total, and the parts that must add up to it. */
export interface Sum {
  readonly total: 'attempts' | 'accepted' | 'received'
  readonly partsOf: (ledger: Ledger) => Readonly<Record<string, number>>
}

/** The laws of a ledger: every attempt, every accepted and every received message ended in exactly one place. */
export const SUMS: readonly Sum[] = [
  {
    total: 'attempts',
    partsOf: ({ accepted, refused, conflated, waiting }) => ({
      accepted,
      ...prefixed('refused', refused),
      conflated,
      waiting,
    }),
  },
  {
    total: 'accepted',
    partsOf: ({ local, confirmed, inFlight, unconfirmed, lost }) => ({
      local,
      confirmed,
      inFlight,
      unconfirmed,
      ...prefixed('lost', lost),
    }),
  },
  {
    total: 'received',
    partsOf: ({ delivered, dropped }) => ({ delivered, ...prefixed('dropped', dropped) }),
  },
]

/** A statement about a finished run, and whether it is true. */
export interface Law {
  readonly hub: string
  readonly statement: string
  readonly left: number
  readonly right: number
  readonly holds: boolean
}

/** Checks what every ledger promises by itself. */
export function ledgerLaws(hub: string, ledger: Ledger): Law[] {
  const sums = SUMS.map(({ total, partsOf }) =>
    equal(hub, `${total} = the sum of its parts`, ledger[total], sumOf(partsOf(ledger))),
  )
  const left = ledger.waiting + ledger.inFlight
  return [...sums, equal(hub, 'nothing waits or is in flight after close', left, 0)]
}

/** Checks a reader's ledger against what its own code got, what was published, and what got lost on the way. */
export function readerLaws(
  { label, ledger, seen, lost, knowsAllLost }: ReaderAccount,
  published: number,
): Law[] {
  const accounted = ledger.received + lost
  return [
    equal(label, 'delivered = what its own code got', ledger.delivered, seen),
    knowsAllLost
      ? equal(label, 'received + lost on the way = published', accounted, published)
      : atMost(label, 'received + known as lost <= published', accounted, published),
    atMost(label, 'missed <= lost on the way', ledger.missed, lost),
  ]
}

/** Adds up the parts of a total. */
export function sumOf(parts: Readonly<Record<string, number>>): number {
  return Object.values(parts).reduce((sum, part) => sum + part, 0)
}

function prefixed(prefix: string, parts: Readonly<Record<string, number>>): Record<string, number> {
  return Object.fromEntries(Object.entries(parts).map(([name, value]) => [`${prefix}.${name}`, value]))
}

function equal(hub: string, statement: string, left: number, right: number): Law {
  return { hub, statement, left, right, holds: left === right }
}

function atMost(hub: string, statement: string, left: number, right: number): Law {
  return { hub, statement, left, right, holds: left <= right }
}
