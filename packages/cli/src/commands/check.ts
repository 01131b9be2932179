import type { Command } from 'commander'
import type { CommonOptions } from '../base/common-options.ts'
import { EXIT, type ExitCode } from '../base/exit-code.ts'
import type { Output, Style } from '../base/output.ts'
import { perform, type Run } from '../base/perform.ts'
import { printable } from '../base/printable.ts'
import { checkBroker, placeWords } from '../check/check-broker.ts'
import { answerClocks, CLOCK_STREAM } from '../check/clock.ts'
import type { CheckResult, CheckState } from '../check/result.ts'
import { withHub } from '../connection/hub-of.ts'
import { brokerPlaceOf } from '../connection/place.ts'

const EXAMPLES = `
It checks: the connection; the round trip; the limits of the broker; whether this user may subscribe, publish and watch
the whole hub; another process's clock; and the checks of the transports' contract that need no control over the
broker. It uses streams of the hub with unique names, and sends a few thousand small frames and some large ones.

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
  /** True unless `--no-contract` was given. */
  readonly contract: boolean
}

/** Adds `rivulet check`. */
export function addCheck(program: Command): void {
  program
    .command('check')
    .summary('check whether a broker does all that Rivulet needs')
    .description(
      'Check whether a broker can be reached and does all that Rivulet needs, and the permissions of this user.',
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
  return options.answer ? answer(run, options) : checkAndPrint(run, options)
}

function answer(run: Run, options: CheckOptions): Promise<ExitCode> {
  // A removed stream would receive nothing any more.
  return withHub(run, options, { acceptRemoval: false }, async (hub) => {
    const ending = new AbortController()
    // A child process ends with its parent.
    process.on('disconnect', () => ending.abort())
    const ready = () =>
      run.output.say('Answering; run "rivulet check --peer" with the same hub on another machine.')
    const signal = AbortSignal.any([run.signal, ending.signal])
    const answered = await answerClocks(hub, options.stream ?? CLOCK_STREAM, signal, ready)
    run.output.say(`answered ${answered}`)
    return EXIT.fine
  })
}

async function checkAndPrint(run: Run, options: CheckOptions): Promise<ExitCode> {
  const { output, signal } = run
  const place = brokerPlaceOf(options)
  const results: CheckResult[] = []
  const add = (result: CheckResult) => {
    results.push(result)
    if (!output.isJson) printResult(output, result)
  }
  const exitCode = await checkBroker(
    { place, stream: options.stream, isPeer: options.peer === true, hasContract: options.contract },
    { timeoutMs: options.wait, signal },
    add,
  )
  if (output.isJson) output.line(JSON.stringify({ broker: placeWords(place.urls), checks: results }))
  return exitCode
}

const STYLES: Readonly<Record<CheckState, Style>> = {
  ok: 'green',
  warning: 'yellow',
  failed: 'red',
  skipped: 'gray',
}
const STATE_WIDTH = 8
const NAME_WIDTH = 14

function printResult(output: Output, { state, name, text, advice }: CheckResult): void {
  const mark = output.styled(STYLES[state], state.padEnd(STATE_WIDTH))
  // The broker's message may end with a full stop.
  const words = advice === undefined ? text : `${text.replace(/\.+$/, '')}. ${advice}`
  output.line(`${mark} ${name.padEnd(NAME_WIDTH)} ${printable(words)}`)
}
