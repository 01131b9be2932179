/** How long a smallest delay is gathered, in seconds; two such spans are looked at, so it counts one to two minutes. */
const SPAN_S = 60
/** How far two clocks may run apart: 1 000 ppm, which is twice what a quartz that works does. */
const DRIFT = 0.001
/** Delays this close together are one and the same; arrivals this far apart are different moments. */
const SAME_MS = 500
const MOMENTS = 3
/** After so long in which everything was stale the delays are believed: nobody mutes a publisher for longer. */
const MUTED_AT_MOST_MS = 60_000

/**
 * What is known of the delays of one publisher, as plain data that the functions below take: a hub may know hundreds of
 * thousands of publishers, and an object of its own for the delays would make each a tenth larger. For the same reason
 * its numbers are whole ones.
 *
 * A delay is `arrival − t`, the receiver's clock less the publisher's; its smallest value of the last minutes stands for
 * the undelayed path, and what a message takes beyond that is how late it is, without synchronized clocks. A windowed
 * minimum, as in BBR's RTprop filter; it grows with its age as fast as clocks may run apart.
 *
 * When the publisher's clock has stepped and the publisher did not notice, everything of it is late for ever: once that
 * has lasted, and a barrier on the own connection shows that no backlog waits there, the minimum starts again.
 */
export interface Delays {
  spanStartS: number
  leastMs: number
  /** The same of the span before. */
  previousStartS: number
  previousLeastMs: number
  /** Stale messages since the last fresh one. */
  staleRun: StaleRun | undefined
}

/** Starts with a delay that can't be judged. */
export function startDelays(delays: Delays, delayMs: number, arrivalMs: number): void {
  delays.staleRun = undefined
  delays.spanStartS = Math.floor(arrivalMs / 1_000)
  delays.leastMs = wholeMs(delayMs)
  delays.previousStartS = delays.spanStartS
  delays.previousLeastMs = delays.leastMs
}

/**
 * Judges a delay and learns from it: returns whether it is stale. All in milliseconds. `promptStartMs` is when the
 * last barrier that was answered promptly began.
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

/** Judges a delay by what is known, and learns nothing from it. */
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

/** Rounds up, so that what is judged by it seems early rather than late. Adding 0 makes 0 of −0, which is no whole number. */
function wholeMs(delayMs: number): number {
  return Math.ceil(delayMs) + 0
}

type StaleRun = ReturnType<typeof runFrom>

function runFrom(delayMs: number, arrivalMs: number) {
  return { sinceMs: arrivalMs, leastMs: delayMs, steady: steadyFrom(delayMs, arrivalMs) }
}

/** The last stale messages whose delays are the same: since when, between which bounds, at how many moments. */
function steadyFrom(delayMs: number, arrivalMs: number) {
  return { sinceMs: arrivalMs, leastMs: delayMs, mostMs: delayMs, moments: 1, momentMs: arrivalMs }
}

/** Returns the delay to believe from now on, or `undefined` while a backlog is as likely as a stepped clock. */
function settled(run: StaleRun, arrivalMs: number, maxAgeMs: number): number | undefined {
  const { moments, sinceMs, leastMs } = run.steady
  if (moments >= MOMENTS && arrivalMs - sinceMs >= maxAgeMs) return leastMs
  return arrivalMs - run.sinceMs >= MUTED_AT_MOST_MS ? run.leastMs : undefined
}
