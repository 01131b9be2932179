/** The state of a result. `skipped`: could not be checked, which is no fault. */
export type CheckState = 'ok' | 'warning' | 'failed' | 'skipped'

/** The result of one check of a broker. */
export interface CheckResult {
  readonly name: string
  readonly state: CheckState
  /** The observation. */
  readonly text: string
  /** The recommended action. */
  readonly advice?: string | undefined
  /** Whether the broker refused it. */
  readonly isRefused?: boolean | undefined
}

/** Makes the result of a check that passed. */
export function ok(name: string, text: string): CheckResult {
  return { name, state: 'ok', text }
}

/** Makes the result of a check that works in an unexpected manner. */
export function warning(name: string, text: string, advice: string): CheckResult {
  return { name, state: 'warning', text, advice }
}

/** Makes the result of a check that failed. */
export function failed(name: string, text: string, advice: string): CheckResult {
  return { name, state: 'failed', text, advice }
}

/** Makes the result of a check that the broker refused. */
export function refused(name: string, text: string, advice: string): CheckResult {
  return { name, state: 'failed', text, advice, isRefused: true }
}

/** Makes the result of a check that could not be run. */
export function skipped(name: string, text: string): CheckResult {
  return { name, state: 'skipped', text }
}

/** Returns the message of an error. */
export function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
