import { join } from 'node:path'
import { Command, InvalidArgumentError } from 'commander'
import { fuzz, ROOT, TARGET_NAMES } from './fuzzing.ts'

const FOLDER = join(ROOT, '.cache/fuzz')
const HELP = `
Targets: ${TARGET_NAMES.join(', ')}
What reaches new code is kept in .cache/fuzz/<target>/found, and the next run begins with it. An input that breaks a
target's law is written to .cache/fuzz/<target>/crash-<hash>.`

interface Settings {
  readonly target?: string
  readonly runs?: number
  readonly seconds?: number
  readonly seed?: number
}

const settings = new Command('npm run fuzz --')
  .description('Tries inputs that are changed at random, and keeps those that reach new code.')
  .option('--target <name>', 'this one only', name)
  .option('--runs <count>', 'how many inputs for each target', whole)
  .option('--seconds <count>', 'how long for each target: 60', whole)
  .option('--seed <number>', 'the same inputs again', whole)
  .addHelpText('after', HELP)
  .parse()
  .opts<Settings>()

process.exitCode = await run()

async function run(): Promise<number> {
  const { target, runs, seed, seconds = runs === undefined ? 60 : undefined } = settings
  const onLine = process.stderr.isTTY ? (line: string) => console.error(line) : undefined
  let found = 0
  for (const name of target === undefined ? TARGET_NAMES : [target]) {
    const limits = { runs, seconds, seed }
    const result = await fuzz(name, join(FOLDER, name), limits, onLine === undefined ? {} : { onLine })
    const { first, last } = result.coverage
    const outcome = result.isFound ? 'an input breaks its law' : 'no law is broken'
    console.log(
      `${name}: ${result.runs} inputs, ${outcome}; branches: ${first} by the seeds, ${last} in the end.`,
    )
    if (result.isFound) console.log(result.output)
    if (result.isFound || result.runs === 0) found++
  }
  return found === 0 ? 0 : 1
}

function name(text: string): string {
  if (TARGET_NAMES.includes(text)) return text
  throw new InvalidArgumentError(`There are ${TARGET_NAMES.join(', ')}.`)
}

function whole(text: string): number {
  const value = Number(text)
  if (Number.isSafeInteger(value) && value > 0) return value
  throw new InvalidArgumentError('It is a whole number from 1.')
}
