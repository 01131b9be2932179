import { readFileSync } from 'node:fs'
import type { Mutant } from './mutants.ts'

/** A change that no test can find, and why. It is known by its text, so that edits elsewhere don't matter. */
export interface Equivalent {
  readonly mutator: string
  readonly line: string
  readonly original: string
  readonly replacement: string
  readonly why: string
}

export type Equivalents = Readonly<Record<string, readonly Equivalent[]>>

export function readEquivalents(path: string): Equivalents {
  return JSON.parse(readFileSync(path, 'utf8')) as Equivalents
}

export function isListed(equivalents: Equivalents, mutant: Mutant): boolean {
  return (equivalents[mutant.file] ?? []).some((listed) => isSame(listed, mutant))
}

/** What the list says of these files and no survivor bears out: the text has changed, or a test finds it now. */
export function outdated(
  equivalents: Equivalents,
  files: ReadonlySet<string>,
  alive: readonly Mutant[],
): string[] {
  return Object.entries(equivalents)
    .filter(([file]) => files.has(file))
    .flatMap(([file, listed]) =>
      listed
        .filter((entry) => !alive.some((mutant) => mutant.file === file && isSame(entry, mutant)))
        .map((entry) => `${file}: ${entry.line}: ${entry.original} -> ${entry.replacement}`),
    )
}

function isSame(listed: Equivalent, mutant: Mutant): boolean {
  return (
    listed.mutator === mutant.mutator &&
    listed.line === mutant.line &&
    listed.original === mutant.original &&
    listed.replacement === mutant.replacement
  )
}
