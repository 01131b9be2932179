import { RivuletError } from 'rivulet'

/** The exit codes of the command. */
export const EXIT = Object.freeze({
  /** All went well, or it was interrupted and nothing was lost. */
  fine: 0,
  /** Something failed, was lost, or is not known to have arrived. */
  failed: 1,
  /** The command line is wrong, or a message or a connection was refused. */
  refused: 2,
  /** The broker is away. */
  away: 3,
})

/** One of the exit codes. */
export type ExitCode = (typeof EXIT)[keyof typeof EXIT]

/** Ends the command with a sentence for its user, and an exit code. */
export class CommandError extends Error {
  override readonly name = 'CommandError'
  /** The exit code of the process. */
  readonly exitCode: ExitCode

  constructor(message: string, exitCode: ExitCode = EXIT.refused, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.exitCode = exitCode
  }
}

/** Tells which exit code an error stands for. */
export function exitCodeOf(error: unknown): ExitCode {
  if (error instanceof CommandError) return error.exitCode
  if (isOfCommandLine(error)) return EXIT.refused
  if (!RivuletError.is(error)) return EXIT.failed
  if (error.code === 'TRANSPORT_UNAVAILABLE') return EXIT.away
  return FAILURES.includes(error.code) ? EXIT.failed : EXIT.refused
}

const FAILURES: readonly string[] = ['LISTENER_FAILED', 'SOURCE_FAILED', 'STREAM_CLOSED', 'HUB_CLOSED']

/** Commander's errors say so in their code; by the class they are not known, when there are two copies of it. */
function isOfCommandLine(error: unknown): boolean {
  return String((error as { code?: unknown } | undefined)?.code).startsWith('commander.')
}
