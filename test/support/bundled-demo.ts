import { cpSync } from 'node:fs'
import { join } from 'node:path'
import { bundlePrograms } from './bundle-program.ts'

const FOLDER = 'examples/earthquakes'
const WEEK = 'earthquakes.ndjson'

/** Bundles the demo, whose readers are processes of their own, and gives its file. */
export function bundleDemo(): string {
  const programs = { demo: join(FOLDER, 'demo.ts'), 'other-processes': join(FOLDER, 'other-processes.ts') }
  const folder = bundlePrograms(programs, true)
  cpSync(join(FOLDER, WEEK), join(folder, WEEK))
  return join(folder, 'demo.mjs')
}
