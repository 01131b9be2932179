import { sumOf } from '../base/sum.ts'
import { type ClientCounts, type Counts, sumOfCounts } from './bench-client.ts'
import { percentilesOf } from './durations.ts'
import type { Load } from './load.ts'
import type { Contender, ProcessReport } from './process-order.ts'
import type { Published } from './publisher.ts'

/** Numbers of a result by their names, which contain the units; `undefined` if not measured or unknown. */
export type Figures = Readonly<Record<FigureName, number | undefined>>

/** The result of one contender under a load. */
export interface BenchResult {
  readonly contender: Contender
  /** Its title in a table. */
  readonly title: string
  readonly figures: Figures
  /** The counts of lost, refused and dropped messages, by reason. */
  readonly reasons: Readonly<Partial<Record<FigureName, Counts>>>
  /** The messages of the broker's refusals. */
  readonly refusals: readonly string[]
}

/** Every figure with its title in a table, in the table's order. */
export const FIGURES = Object.freeze({
  publishedPerSecond: 'published a second',
  arrivedPerSecond: 'arrived a second',
  megabytesPerSecond: 'MB a second',
  p50Ms: 'p50, ms',
  p90Ms: 'p90, ms',
  p99Ms: 'p99, ms',
  p999Ms: 'p99.9, ms',
  maxMs: 'longest, ms',
  callP50Us: 'a call of publish, p50, µs',
  callP99Us: 'a call of publish, p99, µs',
  published: 'published',
  confirmed: 'confirmed',
  unconfirmed: 'unconfirmed',
  lost: 'lost',
  refused: 'refused',
  expected: 'to arrive',
  arrived: 'arrived',
  received: 'received',
  delivered: 'delivered',
  missed: 'missed',
  dropped: 'dropped',
  reordered: 'reordered',
  disconnected: 'connections lost',
})

/** The name of a figure. */
export type FigureName = keyof typeof FIGURES

/** The compared figures; the others are counts. */
const COMPARED: readonly FigureName[] = [
  ...(['publishedPerSecond', 'arrivedPerSecond', 'megabytesPerSecond'] as const),
  ...(['p50Ms', 'p90Ms', 'p99Ms', 'p999Ms', 'maxMs', 'callP50Us', 'callP99Us'] as const),
]

const NS_PER_US = 1e3
const NS_PER_MS = 1e6
const BYTES_PER_MB = 1e6

/** Computes a result from the reports of one run's processes. */
export function resultOf(
  load: Load,
  contender: Contender,
  title: string,
  reports: readonly ProcessReport[],
): BenchResult {
  const counts = sumOfCounts(reports.map((report) => report.counts))
  const rates = ratesOf(load, reports)
  return {
    contender,
    title,
    figures: { ...rates, ...durationsOf(reports), ...endsOf(load, reports, counts) },
    reasons: {
      lost: counts.lost,
      refused: counts.refused,
      dropped: counts.dropped,
    } as BenchResult['reasons'],
    refusals: counts.refusals,
  }
}

type RateName = 'publishedPerSecond' | 'arrivedPerSecond' | 'megabytesPerSecond'

function ratesOf({ kind, sizeBytes }: Load, reports: readonly ProcessReport[]): Pick<Figures, RateName> {
  const publishedPerSecond = rateOf(reports.flatMap(({ published }) => published))
  const arrivedPerSecond = rateOf(reports.flatMap(({ arrived }) => arrived))
  const moved = kind === 'pub' ? publishedPerSecond : arrivedPerSecond
  // Publishers elsewhere may have another size.
  const isSized = kind !== 'sub' && moved !== undefined
  return {
    publishedPerSecond,
    arrivedPerSecond,
    megabytesPerSecond: isSized ? (moved * sizeBytes) / BYTES_PER_MB : undefined,
  }
}

/** Adds all rates; skips those without a message or a duration. */
function rateOf(done: readonly Published[]): number | undefined {
  const measured = done.filter(({ messages, seconds }) => messages > 0 && seconds > 0)
  if (measured.length === 0) return undefined
  return sumOf(measured.map(({ messages, seconds }) => messages / seconds))
}

type DurationName = 'p50Ms' | 'p90Ms' | 'p99Ms' | 'p999Ms' | 'maxMs' | 'callP50Us' | 'callP99Us'

function durationsOf(reports: readonly ProcessReport[]): Pick<Figures, DurationName> {
  const latencies = percentilesOf(reports.map((report) => report.latencies))
  const calls = percentilesOf(reports.map((report) => report.calls))
  return {
    p50Ms: latencies && latencies.p50 / NS_PER_MS,
    p90Ms: latencies && latencies.p90 / NS_PER_MS,
    p99Ms: latencies && latencies.p99 / NS_PER_MS,
    p999Ms: latencies && latencies.p999 / NS_PER_MS,
    maxMs: latencies && latencies.max / NS_PER_MS,
    callP50Us: calls && calls.p50 / NS_PER_US,
    callP99Us: calls && calls.p99 / NS_PER_US,
  }
}

/** Counts the outcomes of all messages, those of the warm-up included. */
function endsOf(
  { kind, clients }: Load,
  reports: readonly ProcessReport[],
  counts: ClientCounts,
): Omit<Figures, RateName | DurationName> {
  const published = sumOf(reports.map(({ publishedInAll }) => publishedInAll))
  const hearers = { pub: undefined, sub: undefined, latency: 1, fanout: clients }[kind]
  return {
    published: kind === 'sub' ? undefined : counts.published,
    confirmed: kind === 'sub' ? undefined : counts.confirmed,
    unconfirmed: kind === 'sub' ? undefined : counts.unconfirmed,
    lost: kind === 'sub' ? undefined : totalOf(counts.lost),
    refused: kind === 'sub' ? undefined : totalOf(counts.refused),
    expected: hearers === undefined ? undefined : published * hearers,
    arrived: kind === 'pub' ? undefined : sumOf(reports.map(({ arrivedInAll }) => arrivedInAll)),
    received: kind === 'pub' ? undefined : counts.received,
    delivered: kind === 'pub' ? undefined : counts.delivered,
    missed: kind === 'pub' ? undefined : counts.missed,
    dropped: kind === 'pub' ? undefined : totalOf(counts.dropped),
    reordered: kind === 'pub' ? undefined : counts.reordered,
    disconnected: counts.disconnected,
  }
}

/** Returns whether a result has losses. */
export function hasLosses({ figures }: BenchResult): boolean {
  const { unconfirmed = 0, lost = 0, refused = 0, missed = 0, dropped = 0, disconnected = 0 } = figures
  const { expected = 0, arrived = 0 } = figures
  return unconfirmed + lost + refused + missed + dropped + disconnected > 0 || arrived < expected
}

/** Divides the compared figures of the first by those of the second. */
export function ratiosOf(first: Figures, second: Figures): Partial<Record<FigureName, number>> {
  const ratios = COMPARED.map((name) => [name, (first[name] ?? Number.NaN) / (second[name] ?? Number.NaN)])
  return Object.fromEntries(ratios.filter(([, ratio]) => Number.isFinite(ratio)))
}

function totalOf(counts: Counts | undefined): number | undefined {
  return counts && sumOf(Object.values(counts))
}
