import { messageOf, RivuletError } from './errors.ts'
import type { StreamEvents, StreamState } from './stream-state.ts'

/** A stream writes at most one line a minute to the console. */
const LOG_SPACING_MS = 60_000

/**
 * Counts what a subscriber or a listener of an event threw, or rejected with, and reports it. A rejection is no part of
 * a call of the program, so its report takes its turn.
 */
export function listenerFailed(
  state: StreamState,
  cause: unknown,
  isRejection: boolean,
  event?: keyof StreamEvents,
): void {
  state.counters.add('listenerErrors', 1)
  const who = event === undefined ? 'A subscriber' : `A listener of "${event}"`
  const error = errorOf(state, 'LISTENER_FAILED', `${who} threw: ${messageOf(cause)}`, cause)
  // A listener of `error` that throws is not told of that again: the hub is.
  const tell = () => (event === 'error' ? reportToHub(state, error) : report(state, error))
  if (isRejection) state.hub.turns.run(tell)
  else tell()
}

/** Reports an error to the stream's listeners, else to the hub's, else to the console, once a minute. */
export function report(state: StreamState, error: RivuletError): void {
  if (state.events?.has('error')) state.events.emit('error', error)
  else reportToHub(state, error)
}

/** Makes an error that names the stream and its hub. */
export function errorOf(
  { name, hub }: StreamState,
  code: RivuletError['code'],
  message: string,
  cause?: unknown,
): RivuletError {
  return new RivuletError(code, message, { stream: name, hub: hub.name, cause })
}

function reportToHub(state: StreamState, error: RivuletError): void {
  if (state.hub.report(error)) return
  const nowMs = state.hub.clock.nowMs()
  if (nowMs - state.loggedMs < LOG_SPACING_MS) {
    state.unlogged++
    return
  }
  const more = state.unlogged
  state.loggedMs = nowMs
  state.unlogged = 0
  log(error, more)
}

/** Writes an error that nobody listens for to the console, which may be missing, or throw as that of a test does. */
export function log(error: RivuletError, more = 0): void {
  const since = more === 0 ? '' : ` (${more} more since the last line)`
  try {
    globalThis.console.error(
      `rivulet: nobody listens to the error event of the stream or the hub${since}:`,
      error,
    )
  } catch {}
}
