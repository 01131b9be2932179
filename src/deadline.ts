import { deferred } from './deferred.ts'
import { RivuletError } from './errors.ts'

/**
 * Runs a task that may take `timeoutMs` at the most, whatever it does: the signal it gets aborts at the deadline,
 * with {@link Overdue}, or with `parent`; the promise rejects then even if the task ignores the signal.
 */
export async function withDeadline<T>(
  what: string,
  timeoutMs: number,
  parent: AbortSignal | undefined,
  task: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const controller = new AbortController()
  const abort = () => controller.abort(parent?.reason)
  const timer = setTimeout(() => controller.abort(new Overdue(what, timeoutMs)), timeoutMs)
  if (parent?.aborted) abort()
  else parent?.addEventListener('abort', abort)
  try {
    return await abortable(task(controller.signal), controller.signal)
  } finally {
    clearTimeout(timer)
    parent?.removeEventListener('abort', abort)
  }
}

/** Settles like `promise`, or rejects with the signal's reason when it aborts first. Leaves no listener behind. */
export async function abortable<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise
  const aborted = deferred<never>()
  const abort = () => aborted.reject(signal.reason)
  if (signal.aborted) abort()
  else signal.addEventListener('abort', abort)
  try {
    return await Promise.race([promise, aborted.promise])
  } finally {
    signal.removeEventListener('abort', abort)
  }
}

/** Waits so long, or until the signal aborts. */
export async function pause(waitMs: number, signal: AbortSignal): Promise<void> {
  await withDeadline('A pause', waitMs, signal, () => new Promise<never>(() => {})).catch(() => {})
}

/** Says that a wait reached its deadline. */
export class Overdue extends RivuletError {
  constructor(what: string, timeoutMs: number) {
    super('TRANSPORT_UNAVAILABLE', `${what} took more than ${timeoutMs} ms; check that the broker answers.`)
  }
}
