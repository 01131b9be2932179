import type { Entry } from './event-log.ts'

const MARKS = { speaks: '●', is: '│' }

/** Draws a log: time goes down, each hub has a column, and what happened stands beside it. */
export function drawDiagram(entries: readonly Entry[], sites: number): string {
  const names = Array.from({ length: sites }, (_, site) => `${site}`).join(' ')
  return [`${' '.repeat(14)}${names}`, ...entries.map((entry) => drawRow(entry, sites))].join('\n')
}

function drawRow({ atMs, site, text }: Entry, sites: number): string {
  const columns = Array.from({ length: sites }, (_, column) => (column === site ? MARKS.speaks : MARKS.is))
  const who = site < 0 ? 'the network:' : `hub ${site}`
  return `${(atMs / 1_000).toFixed(3).padStart(10)} s  ${columns.join(' ')}  ${who} ${text}`
}
