import Table from 'cli-table3'
import { tableOf } from './table.mjs'

const PLAIN_STYLE = { head: [], border: [], 'padding-left': 0, 'padding-right': 2 }
const PLAIN = Object.fromEntries(
  ['top', 'bottom', 'left', 'right', 'mid', 'middle'].flatMap((side) =>
    [side, `${side}-mid`, `${side}-left`, `${side}-right`].map((part) => [part, '']),
  ),
)

/** Writes the subject, the machine and the date of a measurement. */
export function headerText({ suite, title, reading, date, command, machine, columns, rounds, isQuick }) {
  const versions = Object.entries(machine.packages).map((entry) => entry.join(' '))
  return [
    `\n${suite}: ${title}`,
    reading,
    `${machine.cpu}, ${machine.memoryGiB} GiB, ${machine.system}`,
    ...columns.map(({ title, node, v8, rivulet }) => `${title}: ${node} (V8 ${v8}), rivulet ${rivulet}`),
    versions.join(', '),
    `${date}, medians of ${rounds} alternating rounds; “better by” compares Rivulet with the row. Again: ${command}`,
    ...(isQuick ? ['QUICK: shows that everything works; the figures mean little.'] : []),
  ].join('\n')
}

/** Writes the rows of a case. */
export function caseText(result, each) {
  const { head, rows } = tableOf(result, each)
  return plainTable(
    head,
    rows.map(({ name, cells }) => [name, ...cells]),
  )
}

/** Writes each target with the measured value. */
export function verdictText(verdicts) {
  if (verdicts.length === 0) return '\nNo target belongs to what was measured.'
  const rows = verdicts.map(({ name, beside, wanted, reached, verdict, elsewhere }) => [
    ...[[name, beside].filter(Boolean).join(', '), wanted, reached, verdict],
    elsewhere,
  ])
  return plainTable(['target', 'wanted', 'reached', '', ''], rows)
}

function plainTable(head, rows) {
  const colAligns = head.map((_, index) => (index === 0 ? 'left' : 'right'))
  const table = new Table({ head, chars: PLAIN, style: PLAIN_STYLE, colAligns })
  table.push(...rows)
  return `\n${table.toString()}`
}
