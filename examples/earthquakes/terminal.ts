// The terminal: options in, progress and tables out.
import { MultiBar } from 'cli-progress'
import Table from 'cli-table3'
import { Command, InvalidArgumentError, Option } from 'commander'
import type { Stream } from 'rivulet'
import { type Quake, whenOf } from './quakes.ts'

/** A broker that the demo can start by itself. */
export type BrokerName = 'nats' | 'mosquitto' | 'redis'

/** The options of the command line. */
export interface DemoOptions {
  /** The duration of the replayed week, in seconds. */
  readonly seconds: number
  /** The chance, 0 to 1, that the bus loses a message to a reader. */
  readonly loss: number
  /** The seed of the losses: the same seed loses the same messages. */
  readonly seed: number
  /** The URL of a broker; then every reader is another process. */
  readonly transport?: string
  /** The broker to start for this run. */
  readonly broker?: BrokerName
  /** Whether to show the activity of the streams, as `rivulet tap` does. */
  readonly tap: boolean
  /** Whether to print the results only. */
  readonly quiet: boolean
}

/** Reads the command line. Prints help or an error, and ends the process, when there is nothing to run. */
export function parseOptions(args: readonly string[]): DemoOptions {
  return new Command('npm run demo --')
    .description('Replays a week of real earthquakes as messages, and shows where every one of them ended.')
    .option('--seconds <n>', 'seconds that the week takes, 0.2 to 3600', numberBetween(0.2, 3600), 15)
    .option('--loss <p>', 'chance that the bus loses a message, 0 to 0.9', numberBetween(0, 0.9), 0)
    .option('--seed <n>', 'whole number that decides which messages are lost', wholeNumber, 1)
    .addOption(
      new Option(
        '--transport <url>',
        'broker to use, with a process for each reader; nats://…, mqtt://…, redis://…',
      )
        .argParser(brokerUrl)
        .conflicts(['loss', 'seed', 'broker']),
    )
    .addOption(
      new Option('--broker <name>', 'start that broker for this run, and use it')
        .choices(['nats', 'mosquitto', 'redis'])
        .conflicts(['loss', 'seed']),
    )
    .option('--tap', 'show what the streams do, live, as "npx rivulet tap" does', false)
    .option('--quiet', 'print the results only', false)
    .addHelpText(
      'after',
      '\nExit code 0: the laws of every ledger hold. 1: one is broken, or a bad option. 130: interrupted.',
    )
    .showHelpAfterError('(--help lists the options)')
    .parse(args, { from: 'user' })
    .opts<DemoOptions>()
}

function numberBetween(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = text.trim() === '' ? Number.NaN : Number(text)
    if (value >= min && value <= max) return value
    throw new InvalidArgumentError(`It is a number from ${min} to ${max}.`)
  }
}

function wholeNumber(text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text)
  throw new InvalidArgumentError('It is a whole number from 0 to 999999999.')
}

function brokerUrl(text: string): string {
  if (/^(nats|tls|mqtts?|mqtt\+wss?|rediss?|valkeys?):\/\//.test(text) && URL.canParse(text)) return text
  throw new InvalidArgumentError(
    'It is a URL such as nats://127.0.0.1:4222, mqtt://127.0.0.1:1883 or redis://127.0.0.1:6379.',
  )
}

const BIG_MAGNITUDE = 6
const BAR = {
  format: '{bar} {value}/{total} quakes | {day}',
  barCompleteChar: '█',
  barIncompleteChar: '░',
  barsize: 40,
  fps: 20,
  hideCursor: true,
  stopOnComplete: false,
  gracefulExit: false,
}

/** Shows the stream as it is published, and the big quakes: a bar on a terminal, plain lines elsewhere. */
export function showProgress(stream: Stream<Quake>, total: number): { stop(): void } {
  const bars = process.stdout.isTTY ? new MultiBar(BAR) : undefined
  const bar = bars?.create(total, 0, { day: '' })
  const print = (line: string) => (bars === undefined ? console.log(line) : bars.log(`${line}\n`))
  let published = 0
  let lastDay = ''
  stream.subscribe(({ data }) => {
    published += 1
    const day = whenOf(data).slice(0, -6)
    bar?.update(published, { day })
    const isNews = day !== lastDay || published === total
    if (bar === undefined && isNews) print(`${day}: ${published} of ${total} quakes published`)
    lastDay = day
    const { mag, place } = data.properties
    if (mag >= BIG_MAGNITUDE) print(`${whenOf(data)}  M ${mag.toFixed(1)}  ${place}`)
  })
  // A second stop of the library would move the cursor up again.
  return { stop: () => void (bars?.isActive && bars.stop()) }
}

// The same style for a terminal and for a file: no colours, and no lines between rows.
const STYLE = {
  style: { head: [], border: [] },
  chars: { mid: '', 'left-mid': '', 'mid-mid': '', 'right-mid': '' },
}

/** Draws a table. Columns of numbers are named in `right`, by their place from 0. */
export function textTable(
  rows: readonly (readonly (string | number)[])[],
  right: readonly number[] = [],
): string {
  const colAligns =
    rows[0]?.map((_, column) => (right.includes(column) ? ('right' as const) : ('left' as const))) ?? []
  const table = new Table({ ...STYLE, colAligns })
  for (const row of rows) table.push([...row])
  return table.toString()
}
