import type { HubStatus } from 'rivulet'

/** A message of another process, as a subscriber saw it. */
export interface Sighting {
  readonly stream: string
  /** The member that published it, and its number there. */
  readonly by: string
  readonly n: number
  /** When it was published and how much later it was seen, by the clock that all processes here share. */
  readonly atMs: number
  readonly ageMs: number
}

/** A message that a member has published, with the status of its hub then. */
export interface Publication {
  readonly n: number
  readonly atMs: number
  readonly status: HubStatus
}

/** A span of time, by the clock that all processes here share. */
export interface Span {
  readonly fromMs: number
  readonly toMs: number
}

/** Keeps what was published in a span, its first and last millisecond left out. */
export function within<Item extends { readonly atMs: number }>(
  items: readonly Item[],
  { fromMs, toMs }: Span,
): Item[] {
  return items.filter(({ atMs }) => atMs > fromMs && atMs < toMs)
}

/** Lists the numbers of one publisher that were seen more than once. */
export function repeatsOf(sightings: readonly Sighting[]): string[] {
  const seen = new Set<string>()
  const keys = sightings.map(({ by, stream, n }) => `${by} ${n} on ${stream}`)
  return keys.filter((key) => seen.size === seen.add(key).size)
}

/** Tells how much older than the youngest the oldest sighting was: what a limit on age bounds. */
export function oldestMs(sightings: readonly Sighting[]): number {
  let youngest = Infinity
  let oldest = 0
  for (const { ageMs } of sightings) {
    youngest = Math.min(youngest, ageMs)
    oldest = Math.max(oldest, ageMs)
  }
  return sightings.length === 0 ? 0 : oldest - youngest
}
