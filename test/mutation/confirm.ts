import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { execa } from 'execa'
import type { Mutant } from './mutants.ts'

const MOST_MS = 1_800_000

/** Throws when a test fails without any change: it would find every one. */
export async function checkTests(suites: readonly (readonly string[])[], copy: string): Promise<void> {
  for (const tests of suites) {
    if (await fails(tests, copy)) throw new Error(`Without any change a test fails of ${tests.join(', ')}.`)
  }
}

/**
 * Writes the change into the file of the copy, without any instruments, and runs the tests: those that stand closest
 * first, then the others. Says whether a test fails, or a file of tests can't even begin. A change whose place is not
 * in the file any more is not found.
 */
export async function isFound(
  mutant: Mutant,
  suites: readonly (readonly string[])[],
  copy: string,
): Promise<boolean> {
  const path = join(copy, mutant.file)
  const text = readFileSync(path, 'utf8')
  const from = placeOf(mutant, text)
  if (from === undefined) return false
  const end = from + mutant.original.length
  writeFileSync(path, text.slice(0, from) + mutant.replacement + text.slice(end))
  try {
    for (const tests of suites) if (await fails(tests, copy)) return true
    return false
  } finally {
    writeFileSync(path, text)
  }
}

/**
 * Returns where the change stands in a text that may have been edited since: where it stood, or else the one place in
 * a line of the same text. Anything else would be another change, or nonsense that every test finds.
 */
export function placeOf(
  { from, line, original }: Pick<Mutant, 'from' | 'line' | 'original'>,
  text: string,
): number | undefined {
  const places: number[] = []
  for (let at = text.indexOf(original); at !== -1; at = text.indexOf(original, at + 1)) {
    const lineStart = text.lastIndexOf('\n', at - 1) + 1
    if (text.slice(lineStart).split('\n', 1)[0]?.trim() === line) places.push(at)
  }
  if (places.includes(from)) return from
  return places.length === 1 ? places[0] : undefined
}

/** Whether vitest ends by itself with a failure: a run that has to be stopped shows nothing. */
async function fails(tests: readonly string[], copy: string): Promise<boolean> {
  const run = await execa(
    'npx',
    ['vitest', 'run', '--config', 'test/mutation/vitest.config.ts', '--bail', '1'],
    {
      cwd: copy,
      env: { MUTATION_TESTS: tests.join('\n') },
      reject: false,
      all: true,
      timeout: MOST_MS,
      forceKillAfterDelay: 1_000,
    },
  )
  return !run.timedOut && run.exitCode === 1 && /(Test Files|Errors) .*(failed|error)/.test(run.all)
}
