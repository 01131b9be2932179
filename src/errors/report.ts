import type { Turns } from '../base/turns.ts'
import { messageOf, RivuletError } from './errors.ts'

/** A stream writes at most one line a minute to the console. */
const LOG_SPACING_MS = 60_000

/** The part of a stream's state that `errors/` writes. */
export interface ReportPart {
  /** The time at which an error was last written to the console, and the number of errors withheld since. */
  loggedMs: number
  unlogged: number
}

/** A stream, as far as its errors concern it. */
export interface ErrorSource extends Readonly<ReportPart> {
  readonly name: string
  readonly hub: {
    readonly name: string
    readonly turns: Pick<Turns, 'run'>
    readonly clock: { nowMs(): number }
    report(error: RivuletError): boolean
  }
  readonly counters: { add(name: 'listenerErrors', count: number): void }
  readonly events:
    | { has(event: 'error'): boolean; emit(event: 'error', error: RivuletError): void }
    | undefined
}

/**
 * Counts an error that a subscriber or a listener of an event threw, or rejected with, and reports it. A rejection
 * happens outside of any call of the program, so `turns` reports it.
 */
export function listenerFailed(
  source: ErrorSource,
  cause: unknown,
  isRejection: boolean,
  event?: string,
): void {
  source.counters.add('listenerErrors', 1)
  const thrower = event === undefined ? 'A subscriber' : `A listener of "${event}"`
  const error = errorOf(source, 'LISTENER_FAILED', `${thrower} threw: ${messageOf(cause)}`, cause)
  // The error of a listener of `error` does not go to that listener again, but to the hub.
  const emit = () => (event === 'error' ? reportToHub(source, error) : report(source, error))
  if (isRejection) source.hub.turns.run(emit)
  else emit()
}

/** Reports an error to the stream's listeners, else to the hub's, else to the console, once a minute. */
export function report(source: ErrorSource, error: RivuletError): void {
  if (source.events?.has('error')) source.events.emit('error', error)
  else reportToHub(source, error)
}

/** Makes an error that names the stream and its hub. */
export function errorOf(
  { name, hub }: Pick<ErrorSource, 'name' | 'hub'>,
  code: RivuletError['code'],
  message: string,
  cause?: unknown,
): RivuletError {
  return new RivuletError(code, message, { stream: name, hub: hub.name, cause })
}

function reportToHub(source: ErrorSource & ReportPart, error: RivuletError): void {
  if (source.hub.report(error)) return
  const nowMs = source.hub.clock.nowMs()
  if (nowMs - source.loggedMs < LOG_SPACING_MS) {
    source.unlogged++
    return
  }
  const more = source.unlogged
  source.loggedMs = nowMs
  source.unlogged = 0
  log(error, more)
}

/** Writes an error without a listener to the console, which may be missing or throw, as in a test. */
export function log(error: RivuletError, more = 0): void {
  const since = more === 0 ? '' : ` (${more} more since the last line)`
  try {
    globalThis.console.error(
      `rivulet: no listener for the error event of the stream or the hub${since}:`,
      error,
    )
  } catch {}
}
