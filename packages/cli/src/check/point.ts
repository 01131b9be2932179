/** How a point of the check stands. What is left out could not be checked, and that is no fault. */
export type PointState = 'ok' | 'warning' | 'failed' | 'left out'

/** One thing that is checked. */
export interface Point {
  readonly name: string
  readonly state: PointState
  /** What was seen. */
  readonly text: string
  /** What to do about it. */
  readonly advice?: string | undefined
  /** Whether the broker refused it. */
  readonly isRefused?: boolean | undefined
}

/** Makes a point that is as it should be. */
export function ok(name: string, text: string): Point {
  return { name, state: 'ok', text }
}

/** Makes a point that works, yet not as one would expect. */
export function warning(name: string, text: string, advice: string): Point {
  return { name, state: 'warning', text, advice }
}

/** Makes a point that does not work. */
export function failed(name: string, text: string, advice: string): Point {
  return { name, state: 'failed', text, advice }
}

/** Makes a point that the broker does not allow. */
export function refused(name: string, text: string, advice: string): Point {
  return { name, state: 'failed', text, advice, isRefused: true }
}

/** Makes a point that could not be checked. */
export function leftOut(name: string, text: string): Point {
  return { name, state: 'left out', text }
}

/** Says what went wrong. */
export function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
