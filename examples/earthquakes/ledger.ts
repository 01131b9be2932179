// The ledgers of all hubs side by side, and the laws that they must keep.
import type { Ledger } from 'rivulet'
import type { Findings } from './readers.ts'
import { textTable } from './terminal.ts'

/** The final ledger of one hub. */
export interface Account {
  readonly label: string
  readonly ledger: Ledger
}

/** The final report of a reader. */
export interface ReaderAccount extends Account, Findings {
  /** The number of messages that it knows to be lost in flight. */
  readonly lost: number
  /** Whether these are all: it was subscribed without a break from the first message to the end of the stream. */
  readonly knowsAllLost: boolean
}

type Parts = Readonly<Record<string, number>>

// Every attempt, every accepted and every received message ends in exactly one of these counters.
const SUMS: readonly [total: 'attempts' | 'accepted' | 'received', partsOf: (ledger: Ledger) => Parts][] = [
  [
    'attempts',
    ({ accepted, refused, conflated, waiting }) => flat({ accepted, refused, conflated, waiting }),
  ],
  [
    'accepted',
    ({ local, confirmed, inFlight, unconfirmed, lost }) =>
      flat({ local, confirmed, inFlight, unconfirmed, lost }),
  ],
  ['received', ({ delivered, dropped }) => flat({ delivered, dropped })],
]
const BESIDE = ['missed', 'reordered', 'listenerErrors', 'iteratorDrops'] as const

/** A statement about one hub after the run, and whether it is true. */
export interface Law {
  readonly label: string
  readonly statement: string
  readonly left: number
  readonly right: number
  readonly holds: boolean
}

/** Checks every ledger by itself, and every reader's against its own count and what was published. */
export function lawsOf(publisher: Account, readers: readonly ReaderAccount[], published: number): Law[] {
  // Messages unconfirmed or lost at the publisher may be the first ones, whose absence no reader notices.
  const areAllConfirmed = publisher.ledger.confirmed === publisher.ledger.accepted
  return [
    ...[publisher, ...readers].flatMap(ledgerLaws),
    ...readers.flatMap((reader) => readerLaws(reader, published, areAllConfirmed)),
  ]
}

function ledgerLaws({ label, ledger }: Account): Law[] {
  return [
    ...SUMS.map(([total, partsOf]) =>
      equal(label, `${total} = the sum of its parts`, ledger[total], sumOf(partsOf(ledger))),
    ),
    equal(label, 'nothing waits or is in flight after close', ledger.waiting + ledger.inFlight, 0),
  ]
}

function readerLaws(
  { label, ledger, seen, lost, knowsAllLost }: ReaderAccount,
  published: number,
  areAllConfirmed: boolean,
): Law[] {
  const accounted = ledger.received + lost
  return [
    equal(label, 'delivered = what its own code got', ledger.delivered, seen),
    knowsAllLost && areAllConfirmed
      ? equal(label, 'received + lost on the way = published', accounted, published)
      : atMost(label, 'received + known as lost <= published', accounted, published),
    atMost(label, 'missed <= lost on the way', ledger.missed, lost),
  ]
}

function equal(label: string, statement: string, left: number, right: number): Law {
  return { label, statement, left, right, holds: left === right }
}

function atMost(label: string, statement: string, left: number, right: number): Law {
  return { label, statement, left, right, holds: left <= right }
}

/** Draws the ledgers: every total, its parts, and their sum. Parts that are zero everywhere are left out. */
export function ledgerTable(accounts: readonly Account[]): string {
  const ledgers = accounts.map(({ ledger }) => ledger)
  const rows: (string | number)[][] = [['', ...accounts.map(({ label }) => label)]]
  const addUnlessZero = (name: string, values: readonly number[]) => {
    if (values.some((value) => value !== 0)) rows.push([name, ...values])
  }
  for (const [total, partsOf] of SUMS) {
    const parts = ledgers.map(partsOf)
    rows.push([total, ...ledgers.map((ledger) => ledger[total])])
    for (const name of Object.keys(parts[0] ?? {})) {
      addUnlessZero(
        `  + ${name}`,
        parts.map((part) => part[name] ?? 0),
      )
    }
    rows.push(
      ['  = sum', ...parts.map(sumOf)],
      accounts.map(() => ''),
    )
  }
  for (const name of BESIDE)
    addUnlessZero(
      name,
      ledgers.map((ledger) => ledger[name]),
    )
  return textTable(
    rows,
    accounts.map((_, index) => index + 1),
  )
}

/** Draws the outcome of every law for every hub: the number of both sides, or two different numbers. */
export function lawTable(laws: readonly Law[]): string {
  const labels = [...new Set(laws.map(({ label }) => label))]
  const statements = [...new Set(laws.map(({ statement }) => statement))]
  const rows = statements.map((statement) => [
    statement,
    ...labels.map((label) =>
      verdictOf(laws.find((law) => law.label === label && law.statement === statement)),
    ),
  ])
  return textTable([['', ...labels], ...rows])
}

function verdictOf(law: Law | undefined): string {
  if (law === undefined) return ''
  const numbers = law.left === law.right ? `${law.left}` : `${law.left}, ${law.right}`
  return `${law.holds ? 'ok' : 'BROKEN'} ${numbers}`
}

function sumOf(parts: Parts): number {
  return Object.values(parts).reduce((sum, part) => sum + part, 0)
}

/** Names nested counters by their path: `refused.tooLarge`. */
function flat(counters: Readonly<Record<string, number | object>>): Parts {
  const pairs = Object.entries(counters).flatMap(([name, value]) =>
    typeof value === 'number'
      ? [[name, value]]
      : Object.entries(value).map(([inner, count]) => [`${name}.${inner}`, count]),
  )
  return Object.fromEntries(pairs)
}
