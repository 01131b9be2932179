import type { Sample } from './meter.ts'

/** A sample, and when it was taken: with no fault on, and everything healed from the last one. */
export interface TimedSample extends Sample {
  readonly atMs: number
}

/** A straight line through points, by least squares. */
export interface Line {
  readonly slope: number
  readonly start: number
  /** The standard error of the slope. */
  readonly error: number
}

/** How what was measured went up or down after the warm-up; the lines are per minute. */
export interface Slopes {
  readonly samples: number
  readonly minutes: number
  readonly joins: number
  readonly heapBytes: Line
  readonly handles: Line
  readonly delayP99Ms: Line
}

/** Fewer samples tell nothing. */
const FEWEST_SAMPLES = 6
/**
 * A third of the run, at most five minutes: until all code is compiled, every stream has heard its publishers, and
 * streams that have ended come back.
 */
const WARM_UP_SHARE = 1 / 3
const LONGEST_WARM_UP_MS = 300_000
/** Anything that is kept of a join is an object of 16 bytes at least, and 8 bytes that refer to it. */
const MOST_HEAP_BYTES_A_JOIN = 24
/** What V8 compiles and forgets, and what the last streams and publishers hold, may be a megabyte more or less. */
const LEEWAY_BYTES = 1_000_000
const MS_A_MINUTE = 60_000

/** Where the slopes begin. */
export function warmUpMs(durationMs: number): number {
  return Math.min(durationMs * WARM_UP_SHARE, LONGEST_WARM_UP_MS)
}

/** Fits lines to the samples after the warm-up; `undefined` when there are too few. */
export function slopesOf(samples: readonly TimedSample[], durationMs: number): Slopes | undefined {
  const warm = samples.filter(({ atMs }) => atMs >= warmUpMs(durationMs))
  const [first, last] = [warm[0], warm.at(-1)]
  if (first === undefined || last === undefined || warm.length < FEWEST_SAMPLES) return undefined
  const lineOf = (read: (sample: Sample) => number) =>
    leastSquares(warm.map((sample) => [sample.atMs / MS_A_MINUTE, read(sample)]))
  return {
    samples: warm.length,
    minutes: (last.atMs - first.atMs) / MS_A_MINUTE,
    joins: last.joins - first.joins,
    heapBytes: lineOf((sample) => sample.heapBytes),
    handles: lineOf(handlesOf),
    delayP99Ms: lineOf(({ delayMs }) => delayMs.p99),
  }
}

/**
 * Tells what is not flat: what has grown, three standard errors taken off, by more than a leak would. One of the
 * smallest object a join is found, and one of a handle a hub.
 */
export function whatGrows({ heapBytes, handles, minutes, joins }: Slopes, hubs: number): string | undefined {
  const surely = ({ slope, error }: Line) => (slope - 3 * error) * minutes
  if (surely(heapBytes) > LEEWAY_BYTES + joins * MOST_HEAP_BYTES_A_JOIN)
    return `the heap by ${heapBytes.slope.toFixed(0)} bytes a minute, with ${joins} joins in ${minutes.toFixed(1)} minutes`
  if (surely(handles) > hubs) return `handles by ${handles.slope.toFixed(1)} a minute`
  return undefined
}

export function handlesOf({ handles }: Sample): number {
  return sumOf(Object.values(handles))
}

/**
 * Fits a line to points by ordinary least squares. What is measured now resembles what was measured a moment ago, so
 * the error of the slope counts fewer samples than there are. Source: Santer et al. 2000, "Statistical significance of
 * trends", https://doi.org/10.1029/1999JD901105.
 */
export function leastSquares(points: readonly (readonly [x: number, y: number])[]): Line {
  const meanX = sumOf(points.map(([x]) => x)) / points.length
  const meanY = sumOf(points.map(([, y]) => y)) / points.length
  const xx = sumOf(points.map(([x]) => (x - meanX) ** 2))
  const slope = sumOf(points.map(([x, y]) => (x - meanX) * (y - meanY))) / xx
  const start = meanY - slope * meanX
  const rests = points.map(([x, y]) => y - start - slope * x)
  const restsSquared = sumOf(rests.map((rest) => rest ** 2))
  const neighbours = sumOf(rests.slice(1).map((rest, index) => rest * (rests[index] as number)))
  const likeness = Math.min(0.99, Math.max(0, neighbours / restsSquared || 0))
  const error = Math.sqrt(restsSquared / (points.length - 2) / xx)
  return { slope, start, error: error * Math.sqrt((1 + likeness) / (1 - likeness)) }
}

function sumOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0)
}
