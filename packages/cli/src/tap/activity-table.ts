import Table from 'cli-table3'
import { countText } from '../base/count-text.ts'
import { sumOf } from '../base/sum.ts'
import type { StreamActivity } from './activity.ts'
import { NAME, NUMBERS } from './columns.ts'
import { cutToWidth } from './cut-to-width.ts'

const MIN_NAME_WIDTH = 8
const GAP = '  '

// Only padding between the columns: a row is a line.
const STYLE = {
  style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0 },
  chars: {
    top: '',
    'top-mid': '',
    'top-left': '',
    'top-right': '',
    bottom: '',
    'bottom-mid': '',
    'bottom-left': '',
    'bottom-right': '',
    left: '',
    'left-mid': '',
    mid: '',
    'mid-mid': '',
    right: '',
    'right-mid': '',
    middle: GAP,
  },
}

/**
 * Draws the table, a line for its heads and one for each stream. Cuts lines wider than `width`, and omits the streams
 * that do not fit into `height` lines: the last line then has their number.
 */
export function activityLines(
  activities: readonly StreamActivity[],
  width: number,
  height: number,
): readonly string[] {
  const room = Math.max(1, height - 1)
  const isCut = activities.length > room
  const shown = isCut ? activities.slice(0, room - 1) : activities
  const lines = tableLines(shown, width)
  const rest = activities.length - shown.length
  return isCut ? [...lines, cutToWidth(`… and ${countText(rest, 'more stream')}`, width)] : lines
}

function tableLines(activities: readonly StreamActivity[], width: number): readonly string[] {
  const cells = activities.map((activity) => NUMBERS.map(({ text }) => text(activity)))
  const widths = NUMBERS.map(({ title }, column) =>
    Math.max(title.length, ...cells.map((row) => (row[column] as string).length)),
  )
  const taken = sumOf(widths.map((width) => width + GAP.length))
  const nameWidth = Math.max(MIN_NAME_WIDTH, width - taken)
  const table = new Table({
    ...STYLE,
    head: [NAME.title, ...NUMBERS.map(({ title }) => title)],
    colWidths: [nameWidth, ...widths],
    colAligns: ['left', ...NUMBERS.map(() => 'right' as const)],
  })
  // The table itself would cut by UTF-16 units.
  for (const [index, activity] of activities.entries()) {
    table.push([cutToWidth(NAME.text(activity), nameWidth), ...(cells[index] as string[])])
  }
  return table
    .toString()
    .split('\n')
    .map((line) => cutToWidth(line.trimEnd(), width))
}
