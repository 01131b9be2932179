import { SingleBar } from 'cli-progress'
import { Command, Option } from 'commander'
import { compare } from './compare.ts'
import { KINDS, type Kind } from './kinds.ts'

interface Settings {
  readonly seeds: string
  readonly first: string
  readonly transport?: string
}

const HELP = `
Examples:
  npm run differential                                     the seeds 0 to 99 over every transport
  npm run differential -- --transport nats --seeds 1000    over one
  npm run differential -- --first 1234 --seeds 1           one seed

Exit code 0: nothing differs. 1: something does; the seed, the step and what differs are printed.`

const settings = new Command('npm run differential --')
  .description('Runs scenarios over a transport and over memory, and compares every ledger at each step.')
  .option('--seeds <count>', 'how many', '100')
  .option('--first <seed>', 'the first of them', '0')
  .addOption(new Option('--transport <name>', 'this one only').choices(KINDS.map(({ name }) => name)))
  .addHelpText('after', HELP)
  .parse()
  .opts<Settings>()

let differing = 0
for (const kind of KINDS) {
  if (settings.transport === undefined || settings.transport === kind.name) differing += await compareOn(kind)
}
process.exit(differing > 0 ? 1 : 0)

async function compareOn(kind: Kind): Promise<number> {
  const [first, seeds] = [Number(settings.first), Number(settings.seeds)]
  const bar = new SingleBar({ format: `${kind.name}: {bar} {value} of {total} seeds, {eta_formatted} to go` })
  const server = await kind.start()
  if (process.stderr.isTTY) bar.start(seeds, 0)
  const differences: string[] = []
  let steps = 0
  for (let seed = first; seed < first + seeds; seed++) {
    const found = await compare(seed, server.connect)
    steps += found.steps
    if (found.difference !== undefined) differences.push(found.difference)
    bar.update(seed - first + 1)
  }
  bar.stop()
  await server.close()
  console.log(`${kind.name}: ${seeds} seeds, ${steps} steps, ${differences.length} differ from memory`)
  for (const difference of differences) console.log(difference)
  return differences.length
}
