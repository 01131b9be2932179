const SIGNIFICANT_DIGITS = 4

/**
 * Lists what a case's table shows, as text: for each column the median, the range, and how many times better Rivulet
 * is than the row; for two checkouts how many times better this one is than the other.
 */
export function tableOf({ columns, isAgainst }, { name, unit, rows }) {
  const ratioHead = isAgainst ? [] : ['better by']
  return {
    head: [
      `${name}, ${unit}`,
      ...columns.flatMap(({ title }) => [title, 'from – to', ...ratioHead]),
      ...(isAgainst ? ['this is better by'] : []),
    ],
    rows: rows.map((row) => ({
      ...{ name: row.name, group: row.group, value: row.columns[0].value },
      cells: [
        ...row.columns.flatMap((column) => cellsOf(column, isAgainst)),
        ...(isAgainst ? [times(row.firstIsBetterBy)] : []),
      ],
    })),
  }
}

function cellsOf({ value, rounds, rivuletIsBetterBy }, isAgainst) {
  const range = `${rounded(Math.min(...rounds))} – ${rounded(Math.max(...rounds))}`
  return [rounded(value), range, ...(isAgainst ? [] : [times(rivuletIsBetterBy)])]
}

/** Writes a ratio. */
export function times(ratio) {
  return `${rounded(ratio, 3)} ×`
}

/** Writes a number with a few significant digits. */
export function rounded(value, digits = SIGNIFICANT_DIGITS) {
  return Number(value.toPrecision(digits)).toLocaleString('en', { maximumFractionDigits: 2 })
}
