import { deferred } from './deferred.ts'
import type { Environment } from './environment.ts'

/**
 * Runs a task for at most `timeoutMs`: its signal aborts at the deadline with {@link Overdue}, or together with
 * `parent`, and the promise rejects then even if the task ignores its signal.
 */
export async function withDeadline<T>(
  environment: Pick<Environment, 'setTimer'>,
  what: string,
  timeoutMs: number,
  parent: AbortSignal | undefined,
  task: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const controller = new AbortController()
  const cancel = environment.setTimer(() => controller.abort(new Overdue(what, timeoutMs)), timeoutMs, true)
  const forget = onAbort(parent, (reason) => controller.abort(reason))
  try {
    return await abortable(task(controller.signal), controller.signal)
  } finally {
    cancel()
    forget()
  }
}

/** Settles like `promise`, or rejects with the signal's reason when it aborts first. Leaves no listener behind. */
export async function abortable<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  const aborted = deferred<never>()
  const forget = onAbort(signal, aborted.reject)
  try {
    return await Promise.race([promise, aborted.promise])
  } finally {
    forget()
  }
}

/** Calls `action` when the signal aborts, at once if it has. Returns a function that cancels this. */
function onAbort(signal: AbortSignal | undefined, action: (reason: unknown) => void): () => void {
  const abort = () => action(signal?.reason)
  if (signal?.aborted) abort()
  else signal?.addEventListener('abort', abort)
  return () => signal?.removeEventListener('abort', abort)
}

/** The error of a wait that reached its deadline. */
export class Overdue extends Error {
  override readonly name = 'Overdue'

  constructor(what: string, timeoutMs: number) {
    super(`${what} took more than ${timeoutMs} ms; check that the broker answers`)
  }
}
