import type { Command } from 'commander'
import type { CommonOptions } from './common-options.ts'
import { EXIT, type ExitCode, exitCodeOf } from './exit-code.ts'
import { Interruption, interruptions } from './interruption.ts'
import { Output } from './output.ts'
import { stayAlive } from './stay-alive.ts'

/** One run of a command: its interruption and its output. */
export interface Run {
  /**
   * Aborts at Ctrl-C, at SIGTERM, and when the reader closes the output. The command then prints its summary, and
   * resolves to the exit code of its work so far.
   */
  readonly signal: AbortSignal
  readonly output: Output
}

/** The work of a command. Resolves to its exit code; rejects with an error whose message is for the user. */
export type Performance<Options, Args extends unknown[]> = (
  run: Run,
  options: Options & CommonOptions,
  ...args: Args
) => Promise<ExitCode>

/** An interrupted command that takes longer than this prints that it is ending. */
const LONG_ENDING_MS = 500

/** Makes an action for commander from a command's work. The action ends the process with the exit code. */
export function perform<Options, Args extends unknown[]>(
  work: Performance<Options, Args>,
): (...given: unknown[]) => Promise<void> {
  return async (...given) => {
    const command = given.at(-1) as Command
    const options = command.optsWithGlobals<Options & CommonOptions>()
    const controller = interruptions()
    const output = new Output(options, () => controller.abort(new Interruption('Its output has no reader.')))
    const run = { signal: controller.signal, output }
    run.signal.addEventListener('abort', () => setTimeout(() => sayThatItEnds(output), LONG_ENDING_MS))
    stayAlive()
    // Commander puts the options and the command behind the arguments.
    const exitCode = await work(run, options, ...(given.slice(0, -2) as Args)).catch((error) =>
      failed(run, error),
    )
    const isWritten = await output.finish(run.signal)
    process.exit(isWritten || exitCode !== EXIT.fine ? exitCode : EXIT.failed)
  }
}

function sayThatItEnds(output: Output): void {
  if (output.hasReader) output.say('It is ending; a second Ctrl-C ends it at once.')
}

function failed({ signal, output }: Run, error: unknown): ExitCode {
  if (signal.aborted && error instanceof Interruption) {
    output.say(error.message)
    return EXIT.fine
  }
  output.warn(sentenceOf(error))
  return exitCodeOf(error)
}

/** Formats an error as one sentence; with DEBUG in the environment, with its stack and causes. */
export function sentenceOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  if (process.env.DEBUG && error.stack !== undefined) {
    return `${error.stack}${error.cause === undefined ? '' : `\ncaused by ${sentenceOf(error.cause)}`}`
  }
  return error.message
}
