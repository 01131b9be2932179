import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { chartsOf } from './chart.mjs'
import { reportOf } from './html.mjs'
import { ratioTo, rivuletRowOf } from './ratio.mjs'

/** Removes earlier results of these suites, so that one that fails leaves none behind that look like new ones. */
export function clearResults(folder, suites) {
  for (const suite of suites) rmSync(join(folder, `${suite}.json`), { force: true })
}

/** Writes a suite's result, with the ratios. */
export function writeResult(folder, result) {
  mkdirSync(folder, { recursive: true })
  const cases = result.cases.map((each) => ({ ...each, rows: withRatios(each) }))
  writeFileSync(
    join(folder, `${result.suite}.json`),
    `${JSON.stringify({ ...result, cases }, undefined, 2)}\n`,
  )
}

export function readResult(folder, suite) {
  return JSON.parse(readFileSync(join(folder, `${suite}.json`), 'utf8'))
}

/** Draws every result in the folder: an SVG for each chart, and one HTML page that needs nothing else. */
export function writePictures(folder) {
  const suites = readdirSync(folder).filter((file) => file.endsWith('.json'))
  const results = suites.map((file) => readResult(folder, file.slice(0, -'.json'.length)))
  const pictures = results.map((result) => ({ result, charts: chartsOf(result) }))
  for (const file of existsSync(folder) ? readdirSync(folder) : []) {
    if (file.endsWith('.svg')) rmSync(join(folder, file))
  }
  for (const { charts } of pictures) {
    for (const { file, svg } of charts) writeFileSync(join(folder, file), `${svg}\n`)
  }
  writeFileSync(join(folder, 'report.html'), reportOf(pictures))
}

function withRatios({ rows, isLessBetter }) {
  const rivulet = rivuletRowOf(rows)
  return rows.map((row) => ({ ...row, rivuletIsBetterBy: ratioTo(row, rivulet, isLessBetter) }))
}
