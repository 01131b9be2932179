import { invalid } from '../base/invalid.ts'
import { isObject, numberFrom } from '../base/options.ts'
import { PAGE_ACCESS_BOUNDS, type PageAccessLimits } from '../pages/page-access.ts'
import { PAGE_BOUNDS, type PageLimits } from '../pages/pages-options.ts'

/** The limits of a gateway, in a group for each kind of client. A protocol has groups of its own. */
export interface GatewayLimits {
  /** Of pages, which run Rivulet itself. */
  readonly pages: PageLimits & PageAccessLimits
}

/** Some limits of each group; the others have their defaults. */
export type GivenLimits<Limits = GatewayLimits> = {
  readonly [Group in keyof Limits]?:
    | { readonly [Name in keyof Limits[Group]]?: number | undefined }
    | undefined
}

/** Least value, default and greatest value. */
export type LimitBounds = readonly [least: number, usual: number, most: number]

/** The bounds of each limit, in groups. */
export type GroupBounds<Limits> = {
  readonly [Group in keyof Limits]: Readonly<Record<keyof Limits[Group], LimitBounds>>
}

/** The bounds of the limits of a gateway. */
export const GATEWAY_BOUNDS: GroupBounds<GatewayLimits> = {
  pages: { ...PAGE_ACCESS_BOUNDS, ...PAGE_BOUNDS },
}

/** Lists the default of each limit by its path, like `pages.burst`. */
export function limitDefaults<Limits>(bounds: GroupBounds<Limits>): ReadonlyMap<string, number> {
  return new Map(
    entriesOf(bounds).flatMap(([group, limits]) =>
      Object.entries(limits).map(([name, [, usual]]) => [`${group}.${name}`, usual] as const),
    ),
  )
}

/** The paths of the limits that were options by these names before version 0.2. */
export const FORMER_LIMITS: Readonly<Record<string, readonly string[]>> = {
  maxListenersPerKey: ['listeners.maxPerKey', 'pages.maxPerKey'],
  maxListenersPerHolder: ['listeners.maxPerHolder'],
  maxWaitingMessages: ['listeners.maxWaitingMessages'],
  maxWaitingBytes: ['listeners.maxWaitingBytes'],
  heartbeatMs: ['listeners.heartbeatMs'],
  stallMs: ['listeners.stallMs', 'sdk.stallMs'],
  maxConnectionsPerIdentity: ['sdk.maxPerIdentity', 'pages.maxPerIdentity'],
  maxSubscriptionsPerConnection: ['sdk.maxSubscriptions', 'pages.maxJoinsPerPage'],
  maxConnectionWaitingBytes: ['sdk.maxWaitingBytes', 'pages.maxWaitingBytes'],
  maxPageSubscriptionsPerIdentity: ['pages.maxJoinsPerIdentity'],
  pageRatePerSecond: ['pages.ratePerSecond'],
  pageBurst: ['pages.burst'],
  pagePublishers: ['pages.publishers'],
  pageMaxBytes: ['pages.maxBytes'],
  maxPageMessagesPerSecond: ['pages.maxMessagesPerSecond'],
  maxStreamsPerService: ['streams.maxPerService'],
  creationsPerSecond: ['streams.creationsPerSecond'],
}

/** Throws `INVALID_OPTIONS` for a limit by its former name: a limit that is ignored would not be noticed. */
export function refuseFormerLimits(options: object): void {
  const former = Object.keys(options).find((name) => Object.hasOwn(FORMER_LIMITS, name))
  if (former === undefined) return
  const paths = FORMER_LIMITS[former]?.map((path) => `limits.${path}`)
  throw invalid(`The option ${former} is now ${paths?.join(' and ')}.`)
}

/** Fills in the limits that are not given. Throws `INVALID_OPTIONS`. */
export function limitsOf<Limits>(given: unknown, bounds: GroupBounds<Limits>): Limits {
  const limits = given ?? {}
  if (!isObject(limits)) throw invalid(`limits is an object of ${Object.keys(bounds).join(', ')}.`)
  refuseStray('limits', limits, bounds)
  const groups = entriesOf(bounds).map(([group, bound]) => [group, groupOf(group, bound, limits[group])])
  return Object.freeze(Object.fromEntries(groups)) as Limits
}

function entriesOf<Limits>(
  bounds: GroupBounds<Limits>,
): readonly [group: string, bounds: Readonly<Record<string, LimitBounds>>][] {
  return Object.entries(bounds as Readonly<Record<string, Readonly<Record<string, LimitBounds>>>>)
}

function groupOf(group: string, bounds: Readonly<Record<string, LimitBounds>>, given: unknown = {}): object {
  const path = `limits.${group}`
  if (!isObject(given)) throw invalid(`${path} is an object of ${Object.keys(bounds).join(', ')}.`)
  refuseStray(path, given, bounds)
  const limits = Object.entries(bounds).map(([name, [least, usual, most]]) => {
    const value = given[name] ?? usual
    const form = numberFrom(Math.ceil(least), most)
    if (!form.fits(value)) throw invalid(`${path}.${name} is ${form.what}.`)
    return [name, value]
  })
  return Object.freeze(Object.fromEntries(limits))
}

function refuseStray(path: string, given: object, known: object): void {
  const stray = Object.keys(given).find((name) => !Object.hasOwn(known, name))
  if (stray === undefined) return
  throw invalid(`There is no limit ${path}.${stray}; there are ${Object.keys(known).join(', ')}.`)
}
