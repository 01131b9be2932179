import { RivuletError } from 'rivulet'

/** The exit codes of the command. */
export const EXIT = Object.freeze({
  /** Success, or interrupted without a loss. */
  fine: 0,
  /** A failure, a loss, or an unconfirmed message. */
  failed: 1,
  /** An invalid command line, or a refused message or connection. */
  refused: 2,
  /** The broker is unavailable. */
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

/** Returns the exit code of an error. */
export function exitCodeOf(error: unknown): ExitCode {
  if (error instanceof CommandError) return error.exitCode
  if (isOfCommandLine(error)) return EXIT.refused
  if (!RivuletError.is(error)) return EXIT.failed
  if (error.code === 'TRANSPORT_UNAVAILABLE') return EXIT.away
  return FAILURES.includes(error.code) ? EXIT.failed : EXIT.refused
}

const FAILURES: readonly string[] = ['LISTENER_FAILED', 'SOURCE_FAILED', 'STREAM_CLOSED', 'HUB_CLOSED']

/** Returns whether an error is commander's: by its code, since the class may be loaded twice. */
function isOfCommandLine(error: unknown): boolean {
  return String((error as { code?: unknown } | undefined)?.code).startsWith('commander.')
}
