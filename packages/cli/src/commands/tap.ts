import type { Command } from 'commander'
import type { Hub, Tap } from 'rivulet'
import type { CommonOptions } from '../base/common-options.ts'
import { countText } from '../base/count-text.ts'
import { EXIT, type ExitCode } from '../base/exit-code.ts'
import { globOf } from '../base/glob.ts'
import type { Output } from '../base/output.ts'
import { perform, type Run } from '../base/perform.ts'
import { durationMs } from '../base/quantity.ts'
import { sumOf } from '../base/sum.ts'
import { until } from '../base/until.ts'
import { exitCodeOfTap, type Intake, intakeOf, withTap } from '../connection/hub-tap.ts'
import { Activity } from '../tap/activity.ts'
import { showLiveTable } from '../tap/live-table.ts'

const EVERY_MS = 1000

const EXAMPLES = `
On a terminal it is a table that lives until Ctrl-C, the busiest stream first. On a pipe, and with --ndjson, each second
there is a line for each stream:
  {"at":"2026-01-31T12:00:01.000Z","stream":"positions","messagesPerSecond":30,"bytesPerSecond":1590,"publishers":1,
  "messages":30,"missed":0,"reordered":0,"dropped":0}

Examples:
  rivulet tap --url nats://127.0.0.1:4222
  rivulet tap --only 'truck-*' --every 250ms
  rivulet tap --ndjson --every 10s >> activity.ndjson

Exit codes: 0 fine; 1 there were more streams than it can follow; 2 the broker denies it, or the transport can't; 3 the
broker is away.`

interface TapOptions extends CommonOptions {
  readonly only?: string
  readonly ndjson?: true
  readonly every?: number
  readonly for?: number
}

/** Adds `rivulet tap`. */
export function addTap(program: Command): void {
  program
    .command('tap')
    .summary('see what all streams of a hub do')
    .description('Show what every stream of a hub does, live: rates, publishers, losses.')
    .option('--only <glob>', "only streams of such a name: 'truck-*'")
    .option('--ndjson', 'print lines of JSON instead of the table')
    .option('--every <duration>', 'how often to look (default: 1s)', durationMs)
    .option('--for <duration>', 'end after so long', durationMs)
    .addHelpText('after', EXAMPLES)
    .action(perform<TapOptions, []>(tap))
}

async function tap(run: Run, options: TapOptions): Promise<ExitCode> {
  const ignore = () => {}
  return withTap(run, options, ignore, async (hub, tapped) => {
    if (run.signal.aborted) return EXIT.fine
    run.output.say(`watching hub ${hub.name}`)
    const isTable = run.output.isTerminal && !run.output.isJson && options.ndjson !== true
    await (isTable ? showTable(hub, tapped, run, options) : printLines(tapped, run, options))
    const intake = intakeOf(tapped, options.only === undefined ? undefined : globOf(options.only))
    run.output.say(summaryOf(tapped, intake, options.only))
    return exitCodeOfTap(intake)
  })
}

async function showTable(hub: Hub, tap: Tap, { signal, output }: Run, options: TapOptions): Promise<void> {
  const table = showLiveTable(hub, tap, { isWanted: globOf(options.only), everyMs: everyMsOf(options) })
  await until(signal, options.for)
  for (const line of table.stop()) output.line(line)
}

async function printLines(tap: Tap, { signal, output }: Run, options: TapOptions): Promise<void> {
  const activity = new Activity(tap, globOf(options.only), performance.now())
  const timer = setInterval(() => {
    // A slow reader gets fewer samples, and no outdated ones.
    if (!process.stdout.writableNeedDrain) printSample(activity, output)
  }, everyMsOf(options))
  await until(signal, options.for)
  clearInterval(timer)
  printSample(activity, output)
}

function printSample(activity: Activity, output: Output): void {
  const at = new Date().toISOString()
  const lines = activity.sample(performance.now()).map((stream) => `${JSON.stringify({ at, ...stream })}\n`)
  output.write(lines.join(''))
}

function everyMsOf({ every = EVERY_MS }: TapOptions): number {
  return Math.max(1, every)
}

/** Summarizes the received messages. `only` is the glob of the selected streams. */
export function summaryOf(
  tap: Pick<Tap, 'streams'>,
  { missed, reordered, dropped }: Intake,
  only: string | undefined,
): string {
  const isWanted = globOf(only)
  const heard = [...tap.streams()].filter(({ name }) => isWanted(name))
  const messages = sumOf(heard.map(({ ledger }) => ledger.delivered))
  const drops = sumOf(Object.values(dropped))
  const { notJoined } = dropped
  const unfollowed = notJoined > 0 ? ` (${notJoined} of streams that were too many to follow)` : ''
  return `heard ${countText(messages, 'message')} on ${countText(heard.length, 'stream')}, ${missed} missed, ${reordered} reordered, ${drops} dropped${unfollowed}`
}
