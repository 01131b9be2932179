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
  return Object.values(handles).reduce((sum, count) => sum + count, 0)
}

/** Fits a line to points. Source: ordinary least squares, with the standard error of the slope. */
export function leastSquares(points: readonly (readonly [x: number, y: number])[]): Line {
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length
  const meanX = mean(points.map(([x]) => x))
  const meanY = mean(points.map(([, y]) => y))
  let [xx, xy, rest] = [0, 0, 0]
  for (const [x, y] of points) {
    xx += (x - meanX) ** 2
    xy += (x - meanX) * (y - meanY)
  }
  const slope = xy / xx
  const start = meanY - slope * meanX
  for (const [x, y] of points) rest += (y - start - slope * x) ** 2
  return { slope, start, error: Math.sqrt(rest / (points.length - 2) / xx) }
}
