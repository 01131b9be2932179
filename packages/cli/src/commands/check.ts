import type { Command } from 'commander'
import type { CommonOptions } from '../base/common-options.ts'
import { EXIT, type ExitCode } from '../base/exit-code.ts'
import type { Output, Style } from '../base/output.ts'
import { perform, type Run } from '../base/perform.ts'
import { printable } from '../base/printable.ts'
import { answerClocks, CLOCK_STREAM } from '../check/clock.ts'
import { lookAtBroker, placeWords } from '../check/look.ts'
import type { Point, PointState } from '../check/point.ts'
import { withHub } from '../connection/hub-of.ts'
import { brokerPlaceOf } from '../connection/place.ts'

const EXAMPLES = `
It looks at: the connection; the round trip; what the broker allows; whether this user may subscribe, publish and hear
the whole hub; another process's clock; and the checks of the transports' contract that need no control over the
broker. It uses streams of the hub whose names nobody else has, and sends a few thousand small frames and some large ones.

Examples:
  rivulet check nats://127.0.0.1:4222
  rivulet check --hub fleet --stream positions --no-contract --json
  rivulet check --answer          on one machine, and on another: rivulet check --peer

Exit codes: 0 fine, with warnings or not; 1 something does not work; 2 the broker refuses the user, subscribing or
publishing; 3 it is away.`

interface CheckOptions extends CommonOptions {
  readonly stream?: string
  readonly peer?: true
  readonly answer?: true
  /** Commander has true here when `--no-contract` was not given. */
  readonly contract: boolean
}

/** Adds `rivulet check`. */
export function addCheck(program: Command): void {
  program
    .command('check')
    .summary('look whether a broker does all that Rivulet needs')
    .description(
      'Look whether a broker can be reached and does all that Rivulet needs, and what this user may do.',
    )
    .argument('[url]', "the broker's URL (else as for every command)")
    .option('--stream <name>', 'the stream to publish one message on (default: a new name)')
    .option('--peer', 'compare with the clock of a machine that runs "rivulet check --answer"')
    .option('--answer', 'answer "rivulet check --peer" until Ctrl-C')
    .option('--no-contract', "leave out the checks of the transports' contract")
    .addHelpText('after', EXAMPLES)
    .action(perform<CheckOptions, [string | undefined]>(check))
}

function check(run: Run, given: CheckOptions, url: string | undefined): Promise<ExitCode> {
  const options = url === undefined ? given : { ...given, url: [url] }
  return options.answer ? answer(run, options) : lookAt(run, options)
}

function answer(run: Run, options: CheckOptions): Promise<ExitCode> {
  // A stream that somebody removed would not be heard any more.
  return withHub(run, options, { acceptRemoval: false }, async (hub) => {
    const ending = new AbortController()
    // As a child process it ends with its parent.
    process.on('disconnect', () => ending.abort())
    const ready = () =>
      run.output.say('Answering; run "rivulet check --peer" with the same hub on another machine.')
    const signal = AbortSignal.any([run.signal, ending.signal])
    const answered = await answerClocks(hub, options.stream ?? CLOCK_STREAM, signal, ready)
    run.output.say(`answered ${answered}`)
    return EXIT.fine
  })
}

async function lookAt(run: Run, options: CheckOptions): Promise<ExitCode> {
  const { output, signal } = run
  const place = brokerPlaceOf(options)
  const points: Point[] = []
  const add = (point: Point) => {
    points.push(point)
    if (!output.isJson) printPoint(output, point)
  }
  const exitCode = await lookAtBroker(
    { place, stream: options.stream, isPeer: options.peer === true, hasContract: options.contract },
    { timeoutMs: options.wait, signal },
    add,
  )
  if (output.isJson) output.line(JSON.stringify({ broker: placeWords(place.urls), points }))
  return exitCode
}

const STYLES: Readonly<Record<PointState, Style>> = {
  ok: 'green',
  warning: 'yellow',
  failed: 'red',
  'left out': 'gray',
}
const STATE_WIDTH = 9
const NAME_WIDTH = 14

function printPoint(output: Output, { state, name, text, advice }: Point): void {
  const mark = output.styled(STYLES[state], state.padEnd(STATE_WIDTH))
  // What the broker said may end with a full stop of its own.
  const words = advice === undefined ? text : `${text.replace(/\.+$/, '')}. ${advice}`
  output.line(`${mark} ${name.padEnd(NAME_WIDTH)} ${printable(words)}`)
}
