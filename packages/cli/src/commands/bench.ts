import { Argument, type Command } from 'commander'
import type { CommonOptions } from '../base/common-options.ts'
import { CommandError, EXIT, type ExitCode } from '../base/exit-code.ts'
import { perform, type Run } from '../base/perform.ts'
import { type Progress, showProgress } from '../base/progress.ts'
import { countFrom1, durationMs, ratePerSecond, sizeBytes } from '../base/quantity.ts'
import { bareClientName } from '../bench/bare-clients.ts'
import { CHILD_COMMAND } from '../bench/child-process.ts'
import type { BenchKind, Load } from '../bench/load.ts'
import { LARGEST_BYTES, SMALLEST_BYTES } from '../bench/payload.ts'
import type { Contender } from '../bench/process-order.ts'
import { type Form, lossSentenceOf, printResults } from '../bench/report.ts'
import { type BenchResult, hasLosses, resultOf } from '../bench/result.ts'
import { runChild } from '../bench/run-child.ts'
import { runLoad } from '../bench/run-load.ts'
import { brokerPlaceOf } from '../connection/place.ts'

const EXAMPLES = `
pub       clients publish; no subscriber is needed.
sub       clients subscribe to "rivulet bench pub" in another terminal, or on another machine. The time begins with the
          first message.
latency   each client is a publisher and a subscriber in one process, so that one clock measures the latency of a message
          through the broker: one way, or there and back with --round-trip.
fanout    one client publishes, and all clients subscribe to it.

Streams are opened with { limit: false, maxBytes: ${LARGEST_BYTES} }, so that the transport is measured and not the limit
of 30 messages a second. Without --rate, publishers are as fast as confirmations (pub) or subscribers (fanout) let them
be. Rates, sizes and durations exclude the warm-up; counts of losses include it.

Examples:
  rivulet bench latency --url nats://127.0.0.1:4222
  rivulet bench fanout --clients 100 --rate 500 --size 1k --for 30s --processes 4
  rivulet bench pub --compare bare --csv >> results.csv

Exit codes: 0 measured, nothing lost; 1 something was lost, or nothing arrived; 2 refused; 3 the broker is away.`

const KINDS: readonly BenchKind[] = ['pub', 'sub', 'latency', 'fanout']
const DEFAULT_SIZE_BYTES = 128
const DEFAULT_FOR_MS = 5000
const DEFAULT_WARMUP_MS = 1000
const DEFAULT_LATENCY_RATE = 1000
const STREAM_NAME = /^[A-Za-z0-9_-]{1,200}$/

interface BenchOptions extends CommonOptions {
  readonly clients: number
  readonly streams: number
  readonly stream: string
  readonly rate?: number
  readonly size: number
  readonly for: number
  readonly warmup: number
  readonly processes?: number
  readonly roundTrip?: true
  readonly compare?: string
  readonly csv?: true
}

/** Adds `rivulet bench`, and the command of its child processes. */
export function addBench(program: Command): void {
  const bench = program
    .command('bench')
    .summary('measure a broker with its network: rates, latency, losses')
    .description('Measure how many messages go through a broker, how long they take, and what is lost.')
    .addArgument(new Argument('<what>', 'what to measure').choices(KINDS))
    .option('--clients <number>', 'publishers, subscribers, or pairs of them', countFrom1, 1)
    .option('--streams <number>', 'streams', countFrom1, 1)
    .option('--stream <name>', "what the streams' names begin with", 'bench')
    .option('--rate <number>', 'messages a second, of all clients together (latency: 1000)', ratePerSecond)
    .option('--size <bytes>', 'bytes of a message', sizeBytes, DEFAULT_SIZE_BYTES)
    .option('--for <duration>', 'how long it is measured (default: 5s)', durationMs, DEFAULT_FOR_MS)
    .option('--warmup <duration>', 'how long before that (default: 1s)', durationMs, DEFAULT_WARMUP_MS)
    .option('--processes <number>', 'spread the clients over child processes', countFrom1)
    .option('--round-trip', 'latency: there and back')
    .option('--compare <what>', 'bare: the same load with the bare client of the broker and JSON, too')
    .option('--csv', 'print the result as CSV')
    .addHelpText('after', EXAMPLES)
  bench.action(perform<BenchOptions, [BenchKind]>(measure))
  program.command(CHILD_COMMAND, { hidden: true }).action(runChild)
}

async function measure(run: Run, options: BenchOptions, kind: BenchKind): Promise<ExitCode> {
  const { signal, output } = run
  const load = loadOf(options, kind)
  const form = formOf(options)
  const contenders = contendersOf(options, load)
  output.say(`Streams are opened with { limit: false, maxBytes: ${LARGEST_BYTES} }.`)
  if (kind === 'latency') output.say(wayOf(load))
  const results: BenchResult[] = []
  for (const { contender, title } of contenders) {
    if (signal.aborted) break
    let progress: Progress | undefined
    const started = () => {
      if (kind === 'sub') output.say('Listening for "rivulet bench pub" …')
      else
        output.say(
          `${title}: measured for ${load.forMs / 1000} s after ${load.warmupMs / 1000} s of warm-up.`,
        )
      if (kind !== 'sub') progress = showTime(title, load, options)
    }
    const heard = () => {
      if (kind === 'sub') output.say(`It comes, and is measured for ${load.forMs / 1000} s.`)
    }
    const reports = await runLoad(load, contender, signal, { started, heard }).finally(() => progress?.stop())
    results.push(resultOf(load, contender, title, reports))
  }
  printResults(output, form, load, results)
  return exitCodeOf(run, results)
}

/** Shows the progress of one run. */
function showTime(title: string, { warmupMs, forMs }: Load, { quiet }: CommonOptions): Progress {
  const startMs = performance.now()
  return showProgress(quiet === true, `${title} {bar} {percentage} %`, warmupMs + forMs, () => ({
    done: performance.now() - startMs,
  }))
}

function exitCodeOf({ output, signal }: Run, results: readonly BenchResult[]): ExitCode {
  for (const result of results) {
    const sentence = lossSentenceOf(result)
    if (sentence !== '') output.warn(sentence)
    for (const refusal of result.refusals) output.warn(refusal)
  }
  if (results.some(({ refusals }) => refusals.length > 0)) return EXIT.refused
  if (results.some(hasLosses)) return EXIT.failed
  const isMeasured = results.every(
    ({ figures }) => (figures.publishedPerSecond ?? figures.arrivedPerSecond) !== undefined,
  )
  if (isMeasured || signal.aborted) return EXIT.fine
  output.warn('Nothing was measured; give it more time with --for.')
  return EXIT.failed
}

function loadOf(options: BenchOptions, kind: BenchKind): Load {
  const place = brokerPlaceOf(options)
  const { size, rate, processes = 0, stream, roundTrip } = options
  if (size < SMALLEST_BYTES || size > LARGEST_BYTES) {
    const why = 'it has a number and a time in it'
    throw new CommandError(`A message of the bench has ${SMALLEST_BYTES} to ${LARGEST_BYTES} bytes: ${why}.`)
  }
  if (!STREAM_NAME.test(stream)) {
    throw new CommandError('--stream is 1 to 200 characters of A-Z a-z 0-9 _ -.')
  }
  if (roundTrip && kind !== 'latency') throw new CommandError('--round-trip is for latency.')
  if (processes > 0 && place.urls[0]?.startsWith('memory:')) {
    throw new CommandError('memory: stays in one process; leave --processes out.')
  }
  return {
    kind,
    clients: options.clients,
    streams: options.streams,
    processes,
    streamPrefix: stream,
    place: { ...place, timeoutMs: options.wait },
    sizeBytes: size,
    warmupMs: options.warmup,
    forMs: options.for,
    ratePerSecond: rate ?? (kind === 'latency' ? DEFAULT_LATENCY_RATE : undefined),
    isRoundTrip: roundTrip === true,
  }
}

function contendersOf(
  { compare }: BenchOptions,
  { kind, place }: Load,
): { readonly contender: Contender; readonly title: string }[] {
  const rivulet = { contender: 'rivulet' as const, title: 'Rivulet' }
  if (compare === undefined) return [rivulet]
  if (compare !== 'bare') throw new CommandError('--compare knows bare only.')
  if (kind === 'sub') {
    throw new CommandError(
      'bench sub hears publishers from elsewhere, so it has nothing to compare; take fanout.',
    )
  }
  return [rivulet, { contender: 'bare', title: `bare ${bareClientName(place.urls)}` }]
}

function formOf({ json, csv }: BenchOptions): Form {
  if (json && csv) throw new CommandError('Give --json or --csv, not both.')
  return json ? 'json' : csv ? 'csv' : 'table'
}

function wayOf({ isRoundTrip }: Load): string {
  const way = isRoundTrip ? 'there and back (the counts have both latencies)' : 'one way'
  return `Latency is ${way}, through the broker, between two connections of one process.`
}
