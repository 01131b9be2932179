/** The least and the most that an attempt waits, and the most in the first minute of an outage. */
const FIRST_RETRY_MS = 100
const EARLY_RETRY_MS = 1_000
const LAST_RETRY_MS = 5_000
const EARLY_MS = 60_000

/**
 * Returns how long to wait before the next attempt: exponential with jitter. `attempt` counts from 1, `failingForMs`
 * since the first failure.
 */
export function retryMs(attempt: number, failingForMs: number, random: () => number): number {
  const longestMs = failingForMs < EARLY_MS ? EARLY_RETRY_MS : LAST_RETRY_MS
  // The exponent is bounded, or the power of a long outage would be Infinity.
  const mostMs = Math.min(longestMs, FIRST_RETRY_MS * 2 ** Math.min(attempt, 10))
  return mostMs * (0.5 + random() / 2)
}
