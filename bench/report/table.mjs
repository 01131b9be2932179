import Table from 'cli-table3'
import { ratioTo, rivuletRowOf } from './ratio.mjs'

const SIGNIFICANT_DIGITS = 4
const PLAIN_STYLE = { head: [], border: [], 'padding-left': 0, 'padding-right': 2 }
const PLAIN = Object.fromEntries(
  ['top', 'bottom', 'left', 'right', 'mid', 'middle'].flatMap((side) =>
    [side, `${side}-mid`, `${side}-left`, `${side}-right`].map((part) => [part, '']),
  ),
)

/** Prints what is measured, on what, and when. */
export function printHeader({ suite, title, reading, date, command, machine, rounds, isQuick }) {
  console.log(`\n${suite}: ${title}`)
  console.log(reading)
  console.log(
    `${machine.cpu}, ${machine.memoryGiB} GiB, ${machine.system}, Node ${machine.node} (V8 ${machine.v8})`,
  )
  console.log(`rivulet ${machine.rivulet}`)
  console.log(
    Object.entries(machine.packages)
      .map((entry) => entry.join(' '))
      .join(', '),
  )
  console.log(`${date}, medians of ${rounds} alternating rounds. Again: ${command}`)
  if (isQuick) console.log('QUICK: shows that everything works; the figures mean little.')
}

/** Prints the rows of a case with the ratio of each to Rivulet's first. */
export function printCase({ name, unit, isLessBetter, rows }) {
  const rivulet = rivuletRowOf(rows)
  const head = [name, unit, 'from', 'to', 'Rivulet is better by']
  const table = new Table({
    head,
    chars: PLAIN,
    style: PLAIN_STYLE,
    colAligns: ['left', 'right', 'right', 'right', 'right'],
  })
  for (const row of rows) {
    const ratio = row === rivulet ? '' : `${rounded(ratioTo(row, rivulet, isLessBetter), 3)} ×`
    table.push([
      row.name,
      ...[row.value, Math.min(...row.rounds), Math.max(...row.rounds)].map((value) => rounded(value)),
      ratio,
    ])
  }
  console.log(`\n${table.toString()}`)
}

/** Writes a number with a few significant digits. */
export function rounded(value, digits = SIGNIFICANT_DIGITS) {
  return Number(value.toPrecision(digits)).toLocaleString('en', { maximumFractionDigits: 2 })
}
