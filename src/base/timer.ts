import type { Environment } from './environment.ts'

/** The longest wait that `setTimeout` takes, in milliseconds; anything above fires at once. Source: HTML, timers. */
const LONGEST_WAIT_MS = 2 ** 31 - 1

/**
 * Runs an action after a wait of any length, in steps if it must, and returns a function that cancels it. After
 * `Infinity` it never runs.
 */
export function after(
  environment: Pick<Environment, 'setTimer'>,
  waitMs: number,
  action: () => void,
  holdsProcess: boolean,
): () => void {
  let cancel = () => {}
  const step = (restMs: number) => {
    const stepMs = Math.min(Math.max(0, Math.ceil(restMs)), LONGEST_WAIT_MS)
    const next = () => (restMs > stepMs ? step(restMs - stepMs) : action())
    cancel = environment.setTimer(next, stepMs, holdsProcess)
  }
  if (waitMs !== Infinity) step(waitMs)
  return () => cancel()
}
