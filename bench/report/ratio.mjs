import { median } from '../median.mjs'

/**
 * Tells how many times better Rivulet is than a row: the middle of the ratios of each round, so that what slows a
 * whole round down does not count. Above 1 Rivulet wins.
 */
export function ratioTo(row, rivulet, isLessBetter) {
  const ratios = row.rounds.map((value, round) =>
    isLessBetter ? value / rivulet.rounds[round] : rivulet.rounds[round] / value,
  )
  return median(ratios)
}

/** Finds the row that the others are compared with: the first of Rivulet's. */
export function rivuletRowOf(rows) {
  return rows.find(({ group }) => group === 'rivulet')
}
