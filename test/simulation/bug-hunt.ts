import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execa } from 'execa'
import { BUGS, type Bug } from './bugs.ts'
import { bundle } from './bundle.ts'
import type { Hunt } from './hunt.ts'

/** Puts each bug into a copy of the core, and tells whether each was found within so many seeds. */
export async function huntBugs(signal: AbortSignal, mostSeeds: number, name?: string): Promise<boolean> {
  const folder = mkdtempSync(join(tmpdir(), 'rivulet-bugs-'))
  const bugs = BUGS.filter((bug) => name === undefined || bug.name === name)
  let found = 0
  try {
    for (const bug of bugs) {
      if (signal.aborted) break
      const { seeds, failures } = await huntBug(bug, 0, mostSeeds, folder, signal)
      const [failure] = failures
      if (failure !== undefined) found++
      const result =
        failure === undefined ? `not found in ${seeds} seeds` : `seed ${failure.seed}: ${failure.law}`
      console.log(`${bug.name}\n  ${result}`)
    }
  } finally {
    rmSync(folder, { recursive: true })
  }
  console.log(`${found} of ${bugs.length} bugs are found within ${mostSeeds} seeds.`)
  return found === bugs.length && bugs.length > 0
}

/** Runs seeds on a bundle of the core with a bug in it, or without one, in a process of its own. */
export async function huntBug(
  bug: Bug | undefined,
  first: number,
  count: number,
  folder: string,
  signal: AbortSignal,
): Promise<Hunt> {
  const outfile = join(folder, 'simulation.mjs')
  await bundle(join(import.meta.dirname, 'hunt-process.ts'), outfile, bug)
  const { stdout } = await execa(process.execPath, [outfile, String(first), String(count)], {
    cancelSignal: signal,
    gracefulCancel: false,
    reject: !signal.aborted,
  }).catch((error) => {
    if (signal.aborted) return { stdout: '{"seeds":0,"virtualMs":0,"failures":[]}' }
    throw error
  })
  return JSON.parse(stdout)
}
