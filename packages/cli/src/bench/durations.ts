import { createHistogram, type RecordableHistogram } from 'node:perf_hooks'

/** Durations in nanoseconds, each with its count; sent between processes unchanged. */
export type CountedDurations = readonly (readonly [durationNs: number, count: number])[]

/** The percentiles of a result, in nanoseconds. */
export interface Percentiles {
  readonly count: number
  readonly p50: number
  readonly p90: number
  readonly p99: number
  readonly p999: number
  readonly max: number
}

/** Significant bits kept of a duration: an error of at most a thousandth. */
const KEPT_BITS = 10

/** Counts durations, each rounded down by at most a thousandth. */
export class Durations {
  readonly #counts = new Map<number, number>()

  record(durationNs: number): void {
    const whole = Math.max(1, Math.round(durationNs))
    const step = 2 ** Math.max(0, Math.floor(Math.log2(whole)) - KEPT_BITS)
    const rounded = Math.floor(whole / step) * step
    this.#counts.set(rounded, (this.#counts.get(rounded) ?? 0) + 1)
  }

  counted(): CountedDurations {
    return [...this.#counts]
  }
}

/** Computes the percentiles of the durations of several processes; `undefined` without any. */
export function percentilesOf(counted: readonly CountedDurations[]): Percentiles | undefined {
  const histogram = createHistogram({ figures: 3 })
  for (const [durationNs, count] of counted.flat()) recordTimes(histogram, durationNs, count)
  if (histogram.count === 0) return undefined
  return {
    count: histogram.count,
    p50: histogram.percentile(50),
    p90: histogram.percentile(90),
    p99: histogram.percentile(99),
    p999: histogram.percentile(99.9),
    max: histogram.max,
  }
}

function recordTimes(histogram: RecordableHistogram, durationNs: number, count: number): void {
  for (let time = 0; time < count; time++) histogram.record(durationNs)
}
