import Table from 'cli-table3'
import type { Output } from '../base/output.ts'
import type { Load } from './load.ts'
import { type BenchResult, FIGURES, type FigureName, hasLosses, ratiosOf } from './result.ts'

/** The format of printed results. */
export type Form = 'table' | 'json' | 'csv'

const NAMES = Object.keys(FIGURES) as FigureName[]
const UNKNOWN = '–'
/** The significant digits of a figure, at least. */
const DIGITS = 3
/** Counts that indicate a loss when they are not zero. */
const LOSSES: readonly FigureName[] = ['unconfirmed', 'lost', 'refused', 'missed', 'dropped', 'disconnected']

/** Prints results. Of two results it also prints the ratio of the first to the second. */
export function printResults(output: Output, form: Form, load: Load, results: readonly BenchResult[]): void {
  if (form === 'json') output.line(JSON.stringify(jsonOf(load, results)))
  else if (form === 'csv') for (const line of csvOf(load, results)) output.line(line)
  else output.line(tableOf(output, results))
}

function jsonOf(load: Load, results: readonly BenchResult[]) {
  const [first, second] = results
  const ratios = first && second && ratiosOf(first.figures, second.figures)
  return { bench: load.kind, load: settingsOf(load), results, ...(ratios && { ratios }) }
}

/** The settings of a load, without the URL, which may contain secrets. */
function settingsOf({ clients, streams, sizeBytes, ratePerSecond, forMs, warmupMs, processes, place }: Load) {
  const scheme = place.urls[0]?.split(':')[0]
  return {
    scheme,
    clients,
    streams,
    sizeBytes,
    ratePerSecond: ratePerSecond ?? null,
    forMs,
    warmupMs,
    processes,
  }
}

function csvOf(load: Load, results: readonly BenchResult[]): string[] {
  const settings = Object.entries(settingsOf(load))
  const header = ['bench', 'contender', ...settings.map(([name]) => name), ...NAMES]
  const rows = results.map(({ title, figures }) => {
    return [load.kind, title, ...settings.map(([, value]) => value), ...NAMES.map((name) => figures[name])]
  })
  return [header, ...rows].map((row) => row.map((cell) => cell ?? '').join(','))
}

function tableOf(output: Output, results: readonly BenchResult[]): string {
  const [first, second] = results
  const ratios = first && second && ratiosOf(first.figures, second.figures)
  const table = new Table({
    head: ['', ...results.map(({ title }) => title), ...(ratios ? ['ratio'] : [])],
    colAligns: ['left', ...results.map(() => 'right' as const), 'right'],
    // Without lines between the rows, and always without the table's own colours.
    chars: { mid: '', 'left-mid': '', 'mid-mid': '', 'right-mid': '' },
    style: { head: [], border: [] },
  })
  for (const name of NAMES.filter((name) => results.some(({ figures }) => figures[name] !== undefined))) {
    const cells = results.map((result) => cellOf(output, result, name))
    const ratio = ratios?.[name]
    table.push([FIGURES[name], ...cells, ...(ratios ? [ratio === undefined ? '' : shown(ratio)] : [])])
  }
  return table.toString()
}

function cellOf(output: Output, { figures, reasons }: BenchResult, name: FigureName): string {
  const figure = figures[name]
  if (figure === undefined) return UNKNOWN
  const why = Object.entries(reasons[name] ?? {}).filter(([, count]) => count > 0)
  const text = why.length === 0 ? '' : ` (${why.map(([reason, count]) => `${count} ${reason}`).join(', ')})`
  const cell = `${shown(figure)}${text}`
  return LOSSES.includes(name) && figure > 0 ? output.styled('red', cell) : cell
}

/** Formats a figure: whole and large numbers without a fraction, small ones with their significant digits. */
function shown(figure: number): string {
  if (Number.isInteger(figure) || figure >= 1000) return Math.round(figure).toLocaleString('en')
  const fraction = Math.max(0, DIGITS - 1 - Math.floor(Math.log10(Math.abs(figure))))
  return figure.toFixed(Math.min(6, fraction))
}

/** Describes the losses in a sentence; empty without any. */
export function lossSentenceOf(result: BenchResult): string {
  if (!hasLosses(result)) return ''
  const { expected = 0, arrived = 0 } = result.figures
  const gap = expected - arrived
  const counts = LOSSES.filter((name) => (result.figures[name] ?? 0) > 0).map(
    (name) => `${result.figures[name]} ${FIGURES[name]}`,
  )
  const all = [...counts, ...(gap > 0 ? [`${gap} not arrived`] : [])].join(', ')
  return `${result.title}: ${all}. The figures are of a run with losses.`
}
