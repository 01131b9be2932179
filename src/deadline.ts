import { RivuletError } from './errors.ts'

/**
 * Runs a task that may take `timeoutMs` at the most, whatever it does: the signal it gets aborts at the deadline,
 * with what `late` makes, or with `parent`; the promise rejects then even if the task ignores the signal.
 */
export async function within<T>(
  timeoutMs: number,
  late: () => Error,
  parent: AbortSignal | undefined,
  task: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const controller = new AbortController()
  const abort = () => controller.abort(parent?.reason)
  const timer = setTimeout(() => controller.abort(late()), timeoutMs)
  if (parent?.aborted) abort()
  else parent?.addEventListener('abort', abort)
  try {
    return await abortable(task(controller.signal), controller.signal)
  } finally {
    clearTimeout(timer)
    parent?.removeEventListener('abort', abort)
  }
}

/** Gives a wait for the broker its deadline: rejects with {@link Overdue} past it. */
export function withDeadline<T>(
  what: string,
  timeoutMs: number,
  parent: AbortSignal | undefined,
  task: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  return within(timeoutMs, () => new Overdue(what, timeoutMs), parent, task)
}

/** Settles like `promise`, or rejects with the signal's reason when it aborts first. Leaves no listener behind. */
export async function abortable<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise
  let abort = () => {}
  const aborted = new Promise<never>((_, reject) => {
    abort = () => reject(signal.reason)
  })
  if (signal.aborted) abort()
  else signal.addEventListener('abort', abort)
  try {
    return await Promise.race([promise, aborted])
  } finally {
    signal.removeEventListener('abort', abort)
  }
}

/** Says that a wait reached its deadline. */
export class Overdue extends RivuletError {
  constructor(what: string, timeoutMs: number) {
    super('TRANSPORT_UNAVAILABLE', `${what} took more than ${timeoutMs} ms; check that the broker answers.`)
  }
}
