import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Equivalents, isListed, outdated } from './equivalent.ts'
import type { Mutant } from './mutants.ts'

export function save(folder: string, part: string, mutants: readonly Mutant[]): void {
  mkdirSync(folder, { recursive: true })
  writeFileSync(fileOf(folder, part), JSON.stringify(mutants, undefined, 1))
}

export function read(folder: string, part: string): Mutant[] {
  return JSON.parse(readFileSync(fileOf(folder, part), 'utf8')) as Mutant[]
}

function fileOf(folder: string, part: string): string {
  return join(folder, `${part.replaceAll('/', '-')}.json`)
}

/**
 * Prints the part's figures and what no test found; says whether the part is good enough. `leastScore` is in per cent of
 * the mutants that are not equivalent.
 */
export function report(
  part: string,
  mutants: readonly Mutant[],
  leastScore: number,
  equivalents: Equivalents,
): boolean {
  const alive = mutants.filter(({ isKilled }) => !isKilled)
  const unexplained = alive.filter((mutant) => !isListed(equivalents, mutant))
  const killed = mutants.length - alive.length
  const score = (100 * killed) / (killed + unexplained.length)
  const listed = alive.length - unexplained.length
  for (const mutant of unexplained) console.log(describe(mutant))
  for (const line of outdated(equivalents, new Set(mutants.map(({ file }) => file)), alive)) {
    console.log(`Listed, but no mutant that lives: ${line}`)
  }
  console.log(
    `${part}: ${mutants.length} mutants, ${killed} killed, ${listed} listed as equivalent, ` +
      `${unexplained.length} not explained; ${score.toFixed(1)} %`,
  )
  return unexplained.length === 0 && score >= leastScore
}

function describe(mutant: Mutant): string {
  const where = `${mutant.file}:${mutant.lineNumber} ${mutant.mutator} (${mutant.status})`
  return `${where}\n  ${mutant.line}\n- ${mutant.original}\n+ ${mutant.replacement}\n`
}
