import Table from 'cli-table3'

type Cell = string | number

// One look for a terminal and for a file: no colours, and no lines between rows.
const LOOK = {
  style: { head: [], border: [] },
  chars: { mid: '', 'left-mid': '', 'mid-mid': '', 'right-mid': '' },
}

/** Draws a table. Columns of numbers are named in `right`, by their place from 0. */
export function textTable(rows: readonly (readonly Cell[])[], right: readonly number[] = []): string {
  const columns = rows[0]?.length ?? 0
  const colAligns = Array.from({ length: columns }, (_, column) =>
    right.includes(column) ? 'right' : 'left',
  )
  const table = new Table({ ...LOOK, colAligns })
  for (const row of rows) table.push([...row])
  return table.toString()
}
