import type { Registry } from 'prom-client'
import type { Ledger } from 'rivulet'

/** One time series of a scrape. */
export interface Series {
  readonly labels: Readonly<Record<string, string | number>>
  readonly value: number
}

/** The time series of one scrape, by the metrics' names. */
export async function scrape(registry: Registry): Promise<ReadonlyMap<string, readonly Series[]>> {
  const families = await registry.getMetricsAsJSON()
  return new Map(families.map(({ name, values }) => [name, values as unknown as Series[]]))
}

/** Returns the values of a hub's time series of a metric by label `outcome`; `undefined` without any. */
export function valuesOf(
  scraped: ReadonlyMap<string, readonly Series[]>,
  name: string,
  hub: string,
): Record<string, number> {
  const series = (scraped.get(name) ?? []).filter(({ labels }) => labels.hub === hub)
  return Object.fromEntries(series.map(({ labels, value }) => [labels.outcome ?? 'all', value]))
}

/** The values of a hub in a collection, for `lawOf`. */
export interface Account {
  readonly attempts: number
  readonly published: number
  readonly inFlight: number
  readonly waiting: number
  readonly received: number
}

/** Sums a hub's scraped outcomes. */
export function accountOf(scraped: ReadonlyMap<string, readonly Series[]>, hub: string): Account {
  const sum = (name: string) =>
    Object.values(valuesOf(scraped, name, hub)).reduce((total, value) => total + value, 0)
  return {
    attempts: sum('rivulet_attempts_total'),
    published: sum('rivulet_published_total'),
    inFlight: sum('rivulet_in_flight'),
    waiting: sum('rivulet_waiting'),
    received: sum('rivulet_received_total'),
  }
}

/** Returns the expected result of `accountOf` for a ledger. */
export function accountIn({ attempts, inFlight, waiting, received }: Ledger): Account {
  return { attempts, published: attempts - inFlight - waiting, inFlight, waiting, received }
}
