import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { SingleBar } from 'cli-progress'
import { Command, InvalidArgumentError } from 'commander'
import { ROOT } from '../support/source-files.ts'
import { drawSoak } from './chart.ts'
import { BROKER_NAMES, type BrokerName, type SoakResult, soak } from './soak.ts'
import { summarize } from './summary.ts'

const HELP = `
Examples:
  npm run soak                                     two minutes on NATS
  npm run soak -- --broker all --minutes 60        an hour on each broker, one after the other

<folder>/<broker>.json has everything that was measured, <folder>/<broker>.svg shows it. Equal seeds draw the same
programs and the same faults; when things happen depends on the machine.
Exit code 0: no law is broken. 1: a law is. 130: ended by Ctrl-C, in good order; by a second one at once.`

interface Settings {
  readonly broker: BrokerName | 'all'
  readonly minutes: number
  readonly seed: number
  readonly hubs: number
  readonly streams: number
  readonly out: string
}

const interrupted = new AbortController()
process.on('SIGINT', () => {
  if (interrupted.signal.aborted) process.exit(130)
  console.error('\nEnds with what is done by now; again Ctrl-C ends at once.')
  interrupted.abort()
})

const settings = new Command('npm run soak --')
  .description('Runs hubs on real brokers that fail at random, and checks messages, ledgers and memory.')
  .option('--broker <name>', `${BROKER_NAMES.join(', ')}, or all`, brokerName, 'nats')
  .option('--minutes <count>', 'how long on each broker', positive, 2)
  .option('--seed <number>', 'draws the programs and the faults', whole(0), 1)
  .option('--hubs <count>', 'hubs, in one process', whole(2), 20)
  .option('--streams <count>', 'streams, each used by three hubs', whole(10), 2_000)
  .option('--out <folder>', 'where results go', join(ROOT, '.cache/soak'))
  .addHelpText('after', HELP)
  .parse()
  .opts<Settings>()

process.exitCode = await run()
if (interrupted.signal.aborted) process.exitCode = 130

async function run(): Promise<number> {
  let broken = 0
  for (const broker of settings.broker === 'all' ? BROKER_NAMES : [settings.broker]) {
    if (interrupted.signal.aborted) break
    const result = await soakWithProgress(broker)
    mkdirSync(settings.out, { recursive: true })
    writeFileSync(join(settings.out, `${broker}.json`), `${JSON.stringify(result, undefined, 2)}\n`)
    writeFileSync(join(settings.out, `${broker}.svg`), drawSoak(result))
    console.log(summarize(result))
    if (result.broken.length > 0) broken++
  }
  return broken === 0 ? 0 : 1
}

async function soakWithProgress(broker: BrokerName): Promise<SoakResult> {
  const { minutes, seed, hubs, streams } = settings
  const seconds = Math.round(minutes * 60)
  const bar = new SingleBar({ format: `${broker} {bar} {value} of {total} s: {text}`, noTTYOutput: false })
  const progressed = process.stderr.isTTY
    ? (at: number, text: string) => bar.update(Math.min(seconds, Math.round(at)), { text })
    : (at: number, text: string) => console.error(`${broker} ${at.toFixed(0)} of ${seconds} s: ${text}`)
  if (process.stderr.isTTY) bar.start(seconds, 0, { text: 'the hubs open' })
  try {
    return await soak({ broker, minutes, seed, hubs, streams }, { signal: interrupted.signal, progressed })
  } finally {
    bar.stop()
  }
}

function brokerName(text: string): string {
  if (text === 'all' || (BROKER_NAMES as readonly string[]).includes(text)) return text
  throw new InvalidArgumentError(`There are ${BROKER_NAMES.join(', ')}, or all.`)
}

function positive(text: string): number {
  const value = Number(text)
  if (value > 0 && value <= 10_000) return value
  throw new InvalidArgumentError('It is a number above 0.')
}

function whole(least: number): (text: string) => number {
  return (text) => {
    const value = Number(text)
    if (Number.isSafeInteger(value) && value >= least) return value
    throw new InvalidArgumentError(`It is a whole number from ${least}.`)
  }
}
