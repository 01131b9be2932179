/** The least difference that shows a step, in milliseconds. */
export const LEAST_STEP_MS = 100

/**
 * Returns the difference between a monotonic clock and the date, in milliseconds, beyond which the machine has slept or
 * one of them was set. It is a second, or half of `maxAgeMs`; clocks that are read one after the other on a busy
 * machine differ by less than a tenth of a second.
 */
export function clockStepMs(maxAgeMs: number | false): number {
  return maxAgeMs === false ? Infinity : Math.max(LEAST_STEP_MS, Math.min(1_000, maxAgeMs / 2))
}
