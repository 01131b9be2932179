/** The span of a minimum of delays, in seconds; two spans are compared, so a minimum counts one to two minutes. */
const SPAN_S = 60
/** The most that two clocks run apart: 1 000 ppm, twice the most of a working quartz. */
const DRIFT = 0.001
/** Delays this close together are one and the same; arrivals this far apart are different moments. */
const SAME_MS = 500
const MOMENTS = 3
/** After this time of only stale messages their delays are accepted: a publisher is not muted any longer. */
const MUTED_AT_MOST_MS = 60_000

/**
 * The known delays of one publisher, as plain data for the functions below: a hub may know hundreds of thousands of
 * publishers, and an object of its own for the delays would make each a tenth larger. For the same reason its numbers
 * are whole ones.
 *
 * A delay is `arrival − t`, the receiver's clock less the publisher's; its minimum of the last minutes is the delay of
 * the path, and a message is late by the excess over it, without synchronized clocks. A windowed minimum, as in BBR's
 * RTprop filter; the minimum rises with its age as fast as clocks may run apart.
 *
 * When the publisher's clock has stepped unnoticed, all its messages seem late: once that has lasted, and a barrier on
 * the own connection shows that it has no backlog, the minimum starts again.
 */
export interface Delays {
  spanStartS: number
  leastMs: number
  /** The same, of the previous span. */
  previousStartS: number
  previousLeastMs: number
  /** Stale messages since the last fresh one. */
  staleRun: StaleRun | undefined
}

/** Starts with a first delay, which cannot be compared with others. */
export function startDelays(delays: Delays, delayMs: number, arrivalMs: number): void {
  delays.staleRun = undefined
  delays.spanStartS = Math.floor(arrivalMs / 1_000)
  delays.leastMs = wholeMs(delayMs)
  delays.previousStartS = delays.spanStartS
  delays.previousLeastMs = delays.leastMs
}

/**
 * Returns whether a delay is stale, and updates the known delays. All in milliseconds. `promptStartMs` is the start of
 * the last barrier that was confirmed promptly.
 */
export function isStale(
  delays: Delays,
  delayMs: number,
  arrivalMs: number,
  maxAgeMs: number,
  promptStartMs: number,
): boolean {
  if (isFresh(delays, delayMs, arrivalMs, maxAgeMs)) {
    delays.staleRun = undefined
    learn(delays, delayMs, arrivalMs)
    return false
  }
  const run = noted(delays, delayMs, arrivalMs)
  const settledMs = settled(run, arrivalMs, maxAgeMs)
  if (settledMs === undefined || promptStartMs <= run.sinceMs) return true
  startDelays(delays, settledMs, arrivalMs)
  return delayMs - settledMs > maxAgeMs
}

/** Returns whether a delay is fresh by the known delays, without updating them. */
export function isFresh(delays: Delays, delayMs: number, arrivalMs: number, maxAgeMs: number): boolean {
  const leastMs = delays.leastMs + DRIFT * (arrivalMs - 1_000 * delays.spanStartS)
  const previousMs = delays.previousLeastMs + DRIFT * (arrivalMs - 1_000 * delays.previousStartS)
  return delayMs - Math.min(leastMs, previousMs) <= maxAgeMs
}

function learn(delays: Delays, delayMs: number, arrivalMs: number): void {
  const arrivalS = Math.floor(arrivalMs / 1_000)
  if (arrivalS - delays.spanStartS > SPAN_S) {
    delays.previousStartS = delays.spanStartS
    delays.previousLeastMs = delays.leastMs
    delays.spanStartS = arrivalS
    delays.leastMs = wholeMs(delayMs)
  } else if (delayMs < delays.leastMs) delays.leastMs = wholeMs(delayMs)
}

function noted(delays: Delays, delayMs: number, arrivalMs: number): StaleRun {
  const run = delays.staleRun ?? runFrom(delayMs, arrivalMs)
  delays.staleRun = run
  const { steady } = run
  run.leastMs = Math.min(run.leastMs, delayMs)
  steady.leastMs = Math.min(steady.leastMs, delayMs)
  steady.mostMs = Math.max(steady.mostMs, delayMs)
  if (steady.mostMs - steady.leastMs > SAME_MS) run.steady = steadyFrom(delayMs, arrivalMs)
  else if (arrivalMs - steady.momentMs > SAME_MS) {
    steady.momentMs = arrivalMs
    steady.moments++
  }
  return run
}

/**
 * Rounds up, so that messages compared with it seem early rather than late. Adding 0 turns −0, which engines store as a
 * double, into 0.
 */
function wholeMs(delayMs: number): number {
  return Math.ceil(delayMs) + 0
}

type StaleRun = ReturnType<typeof runFrom>

function runFrom(delayMs: number, arrivalMs: number) {
  return { sinceMs: arrivalMs, leastMs: delayMs, steady: steadyFrom(delayMs, arrivalMs) }
}

/** A run of the last stale messages with the same delay: its start, its bounds, and the number of its moments. */
function steadyFrom(delayMs: number, arrivalMs: number) {
  return { sinceMs: arrivalMs, leastMs: delayMs, mostMs: delayMs, moments: 1, momentMs: arrivalMs }
}

/** Returns the delay to accept from now on, or `undefined` while a backlog is as likely as a stepped clock. */
function settled(run: StaleRun, arrivalMs: number, maxAgeMs: number): number | undefined {
  const { moments, sinceMs, leastMs } = run.steady
  if (moments >= MOMENTS && arrivalMs - sinceMs >= maxAgeMs) return leastMs
  return arrivalMs - run.sinceMs >= MUTED_AT_MOST_MS ? run.leastMs : undefined
}
