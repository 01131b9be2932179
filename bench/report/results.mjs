import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { SUITE_NAMES } from '../options.mjs'
import { picturesOf } from './chart.mjs'
import { reportOf } from './html.mjs'

/** Removes earlier results of these suites, so that after a failure old ones are not mistaken for new ones. */
export function clearResults(folder, suites) {
  for (const suite of suites) rmSync(join(folder, `${suite}.json`), { force: true })
}

/** Writes the result of a suite. */
export function writeResult(folder, result) {
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, `${result.suite}.json`), `${JSON.stringify(result, undefined, 2)}\n`)
}

/** Draws every result in the folder: the pictures of the README, and one self-contained HTML page. */
export function writePictures(folder) {
  for (const file of readdirSync(folder)) if (file.endsWith('.svg')) rmSync(join(folder, file))
  const results = SUITE_NAMES.map((suite) => join(folder, `${suite}.json`))
    .filter((file) => existsSync(file))
    .map((file) => JSON.parse(readFileSync(file, 'utf8')))
  for (const { file, svg } of results.flatMap(picturesOf)) writeFileSync(join(folder, file), `${svg}\n`)
  writeFileSync(join(folder, 'report.html'), reportOf(results))
}
