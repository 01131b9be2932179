import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { Command, InvalidArgumentError } from 'commander'
import { checkTests, isFound } from './confirm.ts'
import { copyTree } from './copy.ts'
import { isListed, readEquivalents } from './equivalent.ts'
import { type Mutant, mutate } from './mutants.ts'
import { PARTS, type Part } from './parts.ts'
import { read, report, save } from './report.ts'

interface Settings {
  readonly again?: boolean
  readonly quick?: boolean
  readonly workers: number
}

const ROOT = join(import.meta.dirname, '../..')
const FOLDER = join(ROOT, '.cache/mutation')

const command = new Command('npm run mutate --')
  .description('Changes the source in many places, one at a time, and tells which changes no test finds.')
  .argument('[parts...]', `as src/publish; all without. There are ${Object.keys(PARTS).join(', ')}.`)
  .option('--again', 'only what no test found the last time')
  .option('--quick', 'only the tests that stand closest to the part')
  .option('--workers <count>', 'how many run side by side', whole, 2)
  .parse()
const settings = command.opts<Settings>()
const equivalents = readEquivalents(join(import.meta.dirname, 'equivalent.json'))

process.exitCode = await run(command.args.length === 0 ? Object.keys(PARTS) : command.args)

async function run(names: readonly string[]): Promise<number> {
  const parts = names.map((name) => [name, partOf(name)] as const)
  const copy = copyTree(ROOT, join(FOLDER, `tree-${process.pid}`))
  // Its workers end a moment later, and may still write.
  const gone = { recursive: true, force: true, maxRetries: 20, retryDelay: 100 }
  process.on('exit', () => rmSync(copy, gone))
  process.once('SIGINT', () => process.exit(130))
  process.once('SIGTERM', () => process.exit(143))
  process.chdir(copy)
  let isGood = true
  for (const [name, part] of parts) {
    const first = settings.again ? read(FOLDER, name) : await mutate(part, settings.workers)
    save(FOLDER, name, first)
    const mutants = await confirmed(first, part, copy)
    save(FOLDER, name, mutants)
    isGood = report(name, mutants, part.leastScore, equivalents) && isGood
  }
  return isGood ? 0 : 1
}

/** Tries each survivor that is not listed once more: by all tests, or with `--quick` by the closest. */
async function confirmed(mutants: readonly Mutant[], part: Part, copy: string): Promise<Mutant[]> {
  if (settings.quick && !settings.again) return [...mutants]
  const suites = settings.quick || part.others.length === 0 ? [part.tests] : [part.tests, part.others]
  const isOpen = (mutant: Mutant) => !mutant.isKilled && !isListed(equivalents, mutant)
  const open = mutants.filter(isOpen)
  if (open.length > 0) await checkTests(suites, copy)
  const found = new Set<Mutant>()
  for (const [index, mutant] of open.entries()) {
    if (await isFound(mutant, suites, copy)) found.add(mutant)
    const outcome = found.has(mutant) ? 'is found' : 'stays'
    console.error(`${index + 1} of ${open.length}: ${mutant.file}:${mutant.lineNumber} ${outcome}`)
  }
  return mutants.map((mutant) => ({ ...mutant, isKilled: mutant.isKilled || found.has(mutant) }))
}

function partOf(name: string): Part {
  const part = PARTS[name]
  return part ?? command.error(`There is no part ${name}, only ${Object.keys(PARTS).join(', ')}.`)
}

function whole(text: string): number {
  const value = Number(text)
  if (Number.isSafeInteger(value) && value > 0) return value
  throw new InvalidArgumentError('It is a whole number from 1.')
}
