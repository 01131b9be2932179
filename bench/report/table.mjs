const SIGNIFICANT_DIGITS = 4

/**
 * Returns a case's table as text: for each column the median, the range, and the factor by which Rivulet is better
 * than the row; for two checkouts the factor by which this one is better than the other.
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
