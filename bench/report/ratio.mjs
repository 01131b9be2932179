import { median } from '../median.mjs'

/** Puts the rows of several columns into one table, with medians and ratios. */
export function mergedRows(rowsOfColumns, isLessBetter) {
  const figures = rowsOfColumns.map((rows) => {
    const rivulet = rows.find(({ group }) => group === 'rivulet')
    return rows.map(({ rounds }) => ({
      ...{ value: median(rounds), rounds },
      rivuletIsBetterBy: ratioTo(rounds, rivulet.rounds, isLessBetter),
    }))
  })
  return rowsOfColumns[0].map(({ name, group }, index) => {
    const columns = figures.map((rows) => rows[index])
    const [first, second] = columns
    const isBetterBy = second && ratioTo(second.rounds, first.rounds, isLessBetter)
    return { name, group, columns, firstIsBetterBy: isBetterBy }
  })
}

/** Returns the median of the rounds' ratios, so that an effect on a whole round cancels out. */
function ratioTo(rounds, better, isLessBetter) {
  return median(rounds.map((value, round) => (isLessBetter ? value / better[round] : better[round] / value)))
}
