import { invalid } from '../base/invalid.ts'
import type { ListeningOptions } from '../http/listening.ts'
import type { StreamLimits } from '../streams/stream-service.ts'

/** How much of everything there may be; each is explained in `GatewayOptions`. */
export interface GatewayLimits extends ListeningOptions, StreamLimits {
  readonly maxListenersPerHolder: number
  readonly maxConnectionsPerIdentity: number
  readonly maxSubscriptionsPerConnection: number
  readonly maxConnectionWaitingBytes: number
}

/** The name of a limit. */
export type LimitName = keyof GatewayLimits

/** What holds where nothing is given. */
export const LIMIT_DEFAULTS: GatewayLimits = {
  maxListenersPerKey: 2000,
  maxListenersPerHolder: 100,
  maxStreamsPerService: 50_000,
  // Twilio's: "creation of objects: under 20/s a service".
  creationsPerSecond: 20,
  maxConnectionsPerIdentity: 20,
  maxSubscriptionsPerConnection: 1000,
  maxConnectionWaitingBytes: 1_048_576,
  maxWaitingMessages: 256,
  maxWaitingBytes: 1_048_576,
  heartbeatMs: 15_000,
  stallMs: 60_000,
}

/** The names of all limits. */
export const LIMIT_NAMES = Object.keys(LIMIT_DEFAULTS) as readonly LimitName[]

/** Fills in the limits that are not given. Throws `INVALID_OPTIONS`. */
export function limitsOf(given: Partial<GatewayLimits>): GatewayLimits {
  const entries = LIMIT_NAMES.map((name) => [name, atLeastOne(name, given[name] ?? LIMIT_DEFAULTS[name])])
  return Object.fromEntries(entries)
}

function atLeastOne(name: string, value: number): number {
  if (!Number.isInteger(value) || value < 1 || value > 2 ** 31 - 1) {
    throw invalid(`${name} is a whole number from 1.`)
  }
  return value
}
