import { Command, InvalidArgumentError } from 'commander'
import { huntBugs } from './bug-hunt.ts'
import { type BigHunt, huntOnAllCores } from './hunt-on-all-cores.ts'
import { Progress, rateText } from './progress.ts'
import { explain, trace } from './report.ts'

const HELP = `
Examples:
  npm run simulate                            1 000 seeds
  npm run simulate -- --seeds 100000          the seeds 0 to 99 999
  npm run simulate -- --seeds 500 --from 300  the seeds 300 to 799
  npm run simulate -- --seed 1234             one seed; when it breaks a law: the shortest way to that, as a diagram
  npm run simulate -- --seed 1234 --trace     one seed with its whole log
  npm run simulate -- --bugs                  each deliberate bug has to be found within 2 000 seeds

Seeds run on all cores. Equal seeds give equal simulations on every machine.
Exit code 0: no law is broken, or every bug is found. 1: a law is, or a bug is not. 130: ended by Ctrl-C.`

interface Settings {
  readonly seeds?: number
  readonly from: number
  readonly seed?: number
  readonly trace?: true
  readonly bugs?: true
  readonly bug?: string
}

/** One Ctrl-C may come as several signals: from the terminal, from npm, from tsx. */
const ONE_INTERRUPT_MS = 1_000

const interrupted = new AbortController()
process.once('SIGINT', () => {
  interrupted.abort()
  const startMs = performance.now()
  process.on('SIGINT', () => performance.now() - startMs < ONE_INTERRUPT_MS || process.exit(130))
})

const settings = new Command('npm run simulate --')
  .description('Runs 3 to 8 real hubs on a simulated network with one virtual clock, everything from a seed.')
  .option('--seeds <count>', 'how many seeds: 1000, or the 2000 within which a bug has to be found', whole)
  .option('--from <seed>', 'the first of them', whole, 0)
  .option('--seed <seed>', 'this one only', whole)
  .option('--trace', 'with --seed: show everything that happens')
  .option('--bugs', 'put each deliberate bug into a copy of the source, and look how soon it is found')
  .option('--bug <name>', 'this one of them only')
  .addHelpText('after', HELP)
  .parse()
  .opts<Settings>()

process.exitCode = await run()
if (interrupted.signal.aborted) process.exitCode = 130

async function run(): Promise<number> {
  const { seed, seeds = 1_000, from } = settings
  if (settings.bugs || settings.bug !== undefined) {
    const isEachFound = await huntBugs(interrupted.signal, settings.seeds ?? 2_000, settings.bug)
    return isEachFound ? 0 : 1
  }
  if (seed !== undefined) return runOne(seed)
  const startMs = performance.now()
  const found = await huntWithProgress(from, seeds)
  await tell(found, from + seeds, performance.now() - startMs)
  return found.failures.length === 0 ? 0 : 1
}

async function runOne(seed: number): Promise<number> {
  const text = settings.trace ? await trace(seed) : await explain(seed)
  console.log(text)
  return /breaks no law|No law is broken/.test(text) ? 0 : 1
}

async function huntWithProgress(from: number, seeds: number): Promise<BigHunt> {
  console.error(`Seeds ${from} to ${from + seeds - 1}; Ctrl-C ends it with what is done by then.`)
  const progress = new Progress(seeds)
  const progressed = (done: number, virtualMs: number) => progress.show(done, virtualMs)
  try {
    return await huntOnAllCores(from, seeds, { progressed, signal: interrupted.signal })
  } finally {
    progress.end()
  }
}

async function tell(
  { seeds, virtualMs, failures, next }: BigHunt,
  end: number,
  tookMs: number,
): Promise<void> {
  console.log(`${seeds} seeds in ${(tookMs / 1_000).toFixed(0)} s, ${rateText(virtualMs, tookMs)}.`)
  if (next < end) console.log(`All seeds below ${next} are done. Go on: --from ${next} --seeds ${end - next}`)
  for (const { seed, law, text } of failures) console.log(`seed ${seed}: ${law}: ${text}`)
  const [worst] = failures
  console.log(worst === undefined ? 'No law is broken.' : await explain(worst.seed))
}

function whole(text: string): number {
  const value = Number(text)
  if (Number.isSafeInteger(value) && value >= 0) return value
  throw new InvalidArgumentError('It is a whole number from 0.')
}
