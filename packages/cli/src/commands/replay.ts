import { Playback, type PlaybackOptions } from '@rivulet/replay'
import type { Command } from 'commander'
import type { Hub, RivuletError } from 'rivulet'
import type { CommonOptions } from '../base/common-options.ts'
import { countText } from '../base/count-text.ts'
import { EXIT, type ExitCode } from '../base/exit-code.ts'
import type { Output } from '../base/output.ts'
import { perform, type Run } from '../base/perform.ts'
import { showProgress } from '../base/progress.ts'
import { standardInput } from '../base/standard-input.ts'
import { warnFirst } from '../base/warn-first.ts'
import { withHub } from '../connection/hub-of.ts'
import { exitCodeOf, sentenceOf } from '../pub/summary.ts'
import { momentOf, renamedBy, speedOf } from '../recording/moment.ts'

const PERCENT = 100

const EXAMPLES = `
Each message is published when it is due, on a stream of the recorded name, with a sid of its own. The streams have no
limit here; above --speed 1 receivers need limit: false as well, or they drop what is above theirs.

Examples:
  rivulet replay monday.ndjson --url nats://127.0.0.1:4222
  rivulet replay monday.ndjson --speed 10 --from 90s --to 2026-01-31T12:00:00Z
  rivulet replay sample.ndjson.gz --speed max --loop --rename positions=test-positions
  rivulet replay monday.ndjson --dry-run

A program plays a recording without this command, too: openHub('replay:monday.ndjson').

Exit codes: 0 all were confirmed; 1 some were lost or not confirmed; 2 a line is no record, unless --skip-bad, or the
file can't be read; 3 the broker is away.`

interface ReplayCommandOptions extends CommonOptions, Omit<PlaybackOptions, 'loop'> {
  readonly loop?: true
  readonly dryRun?: true
}

/** Adds `rivulet replay`. */
export function addReplay(program: Command): void {
  program
    .command('replay')
    .summary('publish a recording')
    .description('Publish the messages of a recording at the pace at which they came.')
    .argument('<file>', 'a recording (.gz: compressed), or - for standard input')
    .option('--speed <factor>', 'so many times faster, or max (default: 1)', speedOf)
    .option('--loop', 'begin again at the end, until Ctrl-C')
    .option('--rename <a=b>', 'publish stream a as b; repeatable', renamedBy)
    .option('--from <moment>', 'begin there: a duration from the beginning, or a date', momentOf)
    .option('--to <moment>', 'end there', momentOf)
    .option('--skip-bad', 'leave out what is no record, or is refused')
    .option('--dry-run', 'read and check everything, and publish nothing')
    .addHelpText('after', EXAMPLES)
    .action(perform<ReplayCommandOptions, [string]>(replay))
}

async function replay(run: Run, options: ReplayCommandOptions, file: string): Promise<ExitCode> {
  const { speed, loop, rename, from, to, skipBad } = options
  const playback = new Playback(file === '-' ? standardInput() : file, {
    speed,
    loop,
    rename,
    from,
    to,
    skipBad,
  })
  // Reports an unusable file before connecting.
  const sizeBytes = await playback.size()
  const warn = warnFirst(run.output, 'bad lines')
  const tell = ({ message }: RivuletError) => warn(message)
  if (options.dryRun === true) return dryRun(run, options, playback, tell)
  return withHub(run, options, {}, async (hub) => {
    run.output.say(openingSentence(file, hub, speed))
    const progress = showProgressOf(playback, options, sizeBytes)
    try {
      await playback.play(hub, run.signal, tell)
    } finally {
      progress.stop()
      await hub.flush()
      sumUp(run.output, hub, playback)
    }
    // Refused messages were skipped on request, or have ended the playback.
    return exitCodeOf({ unreadable: 0, ledger: hub.ledger() }, run.signal.aborted) === EXIT.failed
      ? EXIT.failed
      : EXIT.fine
  })
}

async function dryRun(
  { signal, output }: Run,
  { json }: ReplayCommandOptions,
  playback: Playback,
  tell: (error: RivuletError) => void,
): Promise<ExitCode> {
  await playback.check(signal, tell)
  const { streams, playedMs } = playback
  const { messages, skipped } = playback.progress
  const bad = skipped === 0 ? '' : `, and ${countText(skipped, 'bad line')}`
  output.say(
    `${countText(messages, 'message')} of ${countText(streams, 'stream')} in ${secondsText(playedMs)}${bad}; nothing was published`,
  )
  if (json === true) output.line(JSON.stringify({ messages, streams, skipped, playedMs }))
  return EXIT.fine
}

function openingSentence(file: string, hub: Hub, speed: number | 'max' = 1): string {
  const faster = speed === 'max' || speed > 1
  const advice = faster ? '; at this speed receivers need limit: false' : ''
  return `replaying ${file === '-' ? 'standard input' : file} on hub ${hub.name}, without a limit here${advice}`
}

function showProgressOf(playback: Playback, { quiet }: CommonOptions, sizeBytes: number | undefined) {
  const format =
    sizeBytes === undefined ? '{messages} messages' : '{bar} {percentage} % | {messages} messages'
  return showProgress(quiet === true, format, PERCENT, () => ({
    done: (PERCENT * playback.bytesRead) / Math.max(1, sizeBytes ?? 1),
    messages: playback.progress.messages,
  }))
}

function sumUp(output: Output, hub: Hub, playback: Playback): void {
  const { messages, skipped, passes } = playback.progress
  const ledger = hub.ledger()
  const more = [
    countText(playback.streams, 'stream'),
    ...(passes > 1 ? [`${passes} passes`] : []),
    ...(skipped > 0 ? [`${countText(skipped, 'bad line')} left out`] : []),
  ]
  output.say(`${sentenceOf({ unreadable: 0, ledger })}; ${more.join(', ')}`)
  if (output.isJson) output.line(JSON.stringify({ hub: hub.name, messages, skipped, passes, ledger }))
}

function secondsText(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`
}
