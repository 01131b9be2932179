import type { Account } from './cast.ts'
import { type Law, SUMS, sumOf } from './laws.ts'
import { type Quake, whenOf } from './quake.ts'
import { textTable } from './text-table.ts'

type Row = readonly [name: string, ...cells: (string | number)[]]

const ASIDE = ['missed', 'reordered', 'listenerErrors', 'iteratorDrops'] as const

/** Draws the ledgers side by side: every total, its parts, and their sum. Parts that are zero everywhere are left out. */
export function ledgerTable(accounts: readonly Account[]): string {
  const ledgers = accounts.map(({ ledger }) => ledger)
  const rows: Row[] = [['', ...accounts.map(({ label }) => label)]]
  for (const { total, partsOf } of SUMS) {
    const parts = ledgers.map(partsOf)
    rows.push([total, ...ledgers.map((ledger) => ledger[total])])
    for (const name of Object.keys(parts[0] ?? {})) {
      rows.push(
        ...unlessZero(
          `  + ${name}`,
          parts.map((part) => part[name] ?? 0),
        ),
      )
    }
    rows.push(['  = sum', ...parts.map(sumOf)], ['', ...accounts.map(() => '')])
  }
  for (const name of ASIDE)
    rows.push(
      ...unlessZero(
        name,
        ledgers.map((ledger) => ledger[name]),
      ),
    )
  return textTable(
    rows,
    accounts.map((_, index) => index + 1),
  )
}

function unlessZero(name: string, values: readonly number[]): Row[] {
  return values.some((value) => value !== 0) ? [[name, ...values]] : []
}

/** Draws what every law says about every hub: the number that both sides have, or both numbers. */
export function lawTable(laws: readonly Law[]): string {
  const hubs = [...new Set(laws.map(({ hub }) => hub))]
  const statements = [...new Set(laws.map(({ statement }) => statement))]
  const verdict = (hub: string, statement: string) =>
    verdictOf(laws.find((law) => law.hub === hub && law.statement === statement))
  const rows = statements.map((statement): Row => [statement, ...hubs.map((hub) => verdict(hub, statement))])
  return textTable([['', ...hubs], ...rows])
}

function verdictOf(law: Law | undefined): string {
  if (law === undefined) return ''
  const numbers = law.left === law.right ? `${law.left}` : `${law.left}, ${law.right}`
  return `${law.holds ? 'ok' : 'BROKEN'} ${numbers}`
}

/** Draws the strongest quakes. */
export function strongestTable(quakes: readonly Quake[]): string {
  return textTable(
    quakes.map((quake) => [`M ${quake.properties.mag.toFixed(1)}`, whenOf(quake), quake.properties.place]),
  )
}
