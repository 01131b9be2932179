import { existsSync } from 'node:fs'
import type { Command } from 'commander'
import type { Tap, TapListener } from 'rivulet'
import type { CommonOptions } from '../base/common-options.ts'
import { countText } from '../base/count-text.ts'
import { CommandError, EXIT, type ExitCode } from '../base/exit-code.ts'
import { globOf } from '../base/glob.ts'
import { perform, type Run } from '../base/perform.ts'
import { showProgress } from '../base/progress.ts'
import { countFrom1, durationMs } from '../base/quantity.ts'
import { sizeText } from '../base/size-text.ts'
import { sumOf } from '../base/sum.ts'
import { until } from '../base/until.ts'
import { exitCodeOfTap, intakeOf, withTap } from '../connection/hub-tap.ts'
import { Recorder } from '../recording/recorder.ts'
import { sinkOf } from '../recording/sink.ts'
import { exitCodeOf, sentenceOf } from '../sub/summary.ts'

const EXAMPLES = `
A recording has a line of canonical JSON for each message, in the order in which they came:
  {"data":{"truck":7},"receivedAt":"2026-01-31T12:00:00.000Z","sid":"…","stream":"positions"}
Two recordings of the same traffic differ in receivedAt only; of two replays of it, in receivedAt and sid.

Examples:
  rivulet record monday.ndjson --url nats://127.0.0.1:4222
  rivulet record monday.ndjson --only 'truck-*' --for 1h
  rivulet record - --count 1000 | gzip > sample.ndjson.gz

Exit codes: 0 everything that came was recorded; 1 messages were missed or dropped, or fewer came than --count; 2 the
broker denies it, the transport can't, or the file is there already; 3 the broker is away.`

interface RecordOptions extends CommonOptions {
  readonly only?: string
  readonly for?: number
  readonly count?: number
  readonly force?: true
}

/** Adds `rivulet record`. */
export function addRecord(program: Command): void {
  program
    .command('record')
    .summary('write all messages of a hub to a file')
    .description('Record the messages of every stream of a hub until Ctrl-C.')
    .argument('<file>', 'where to write, or - for standard output')
    .option('--only <glob>', "only streams of such a name: 'truck-*'")
    .option('--for <duration>', 'end after so long', durationMs)
    .option('-n, --count <number>', 'end after so many messages', countFrom1)
    .option('--force', 'replace a file that is there')
    .addHelpText('after', EXAMPLES)
    .action(perform<RecordOptions, [string]>(record))
}

async function record(run: Run, options: RecordOptions, file: string): Promise<ExitCode> {
  // Checked before connecting; opening the file checks it again.
  if (file !== '-' && options.force !== true && existsSync(file)) {
    throw new CommandError(`${file} is there already; give another name, or --force to replace it.`)
  }
  const isWanted = globOf(options.only)
  const enough = new AbortController()
  const sink = sinkOf(file, options.force === true)
  const recorder = new Recorder(sink, options.count ?? Infinity, () => enough.abort())
  const take: TapListener = ({ sid, data }, stream) => {
    if (!isWanted(stream)) return
    recorder.take({ stream, sid, data, receivedAt: new Date().toISOString() })
    if (recorder.isFull) enough.abort()
  }
  return withTap(run, options, take, async (hub, tap) => {
    await recorder.open()
    if (!run.signal.aborted) run.output.say(`recording hub ${hub.name}`)
    const progress = showProgress(options.quiet === true, '{messages} messages, {size}', 0, () => ({
      done: 0,
      messages: recorder.messages,
      size: sizeText(recorder.bytes),
    }))
    await until(AbortSignal.any([run.signal, enough.signal]), options.for)
    tap.unsubscribe()
    await recorder.finish()
    progress.stop()
    if (recorder.failure !== undefined) {
      throw new CommandError(writeSentence(file, recorder.failure), EXIT.failed, recorder.failure)
    }
    return summed(run, options, recorder, tap, file)
  })
}

function writeSentence(file: string, failure: unknown): string {
  return `${file} can't be written any further: ${failure instanceof Error ? failure.message : failure}.`
}

function summed(
  { signal, output }: Run,
  { only, json, count }: RecordOptions,
  recorder: Recorder,
  tap: Tap,
  file: string,
): ExitCode {
  const intake = intakeOf(tap, only === undefined ? undefined : globOf(only))
  const { messages, streams, bytes, dropped } = recorder
  const where = file === '-' ? '' : ` in ${file}`
  output.say(
    `recorded ${countText(messages, 'message')} of ${countText(streams, 'stream')} (${sizeText(bytes)})${where}`,
  )
  if (dropped > 0) output.warn(`${countText(dropped, 'message')} dropped, since writing was too slow.`)
  if (intake.missed + sumOf(Object.values(intake.dropped)) > 0) output.say(sentenceOf(messages, intake))
  if (json === true && file !== '-') {
    output.line(JSON.stringify({ file, messages, streams, bytes, tooSlow: dropped, ...intake }))
  }
  if (dropped > 0 || exitCodeOfTap(intake) === EXIT.failed) return EXIT.failed
  return exitCodeOf(intake, count === undefined || recorder.isFull || signal.aborted)
}
