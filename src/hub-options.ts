import {
  type Checks,
  checkBoolean,
  checkNumber,
  checkOptions,
  DEFAULT_OPTIONS,
  invalid,
  type ResolvedOptions,
  resolveOptions,
  type StreamOptions,
} from './options.ts'
import { isRecord } from './snapshot.ts'
import { checkHubName } from './topic.ts'
import type { Transport } from './transport.ts'

/** How a hub behaves. */
export interface HubOptions {
  /** The namespace: hubs of one name share their streams over a transport. 1–64 of `[A-Za-z0-9_-]`. @default 'default' */
  readonly name?: string
  /** How messages reach other processes; one for each hub. It starts connecting at once. @default none, this process only */
  readonly transport?: Transport
  /** Options that streams have unless told otherwise. */
  readonly streamDefaults?: StreamOptions
  /** Options of single streams by their name, over `streamDefaults`. Good for a configuration file. */
  readonly streams?: Readonly<Record<string, StreamOptions>>
  /** How many bytes may be on their way to the broker; what would exceed it is lost as `congested`. @default 8388608 */
  readonly maxInFlightBytes?: number
  /** Whether another process may remove streams here. @default true */
  readonly acceptRemoval?: boolean
  /** A monotonic clock in milliseconds, for tests. @default performance.now */
  readonly nowMs?: () => number
}

/** The options of a hub, checked, with the defaults filled in. */
export interface ResolvedHubOptions extends Required<Omit<HubOptions, 'transport' | 'streamDefaults'>> {
  readonly transport: Transport | undefined
  readonly streamDefaults: ResolvedOptions
}

const DEFAULTS: ResolvedHubOptions = {
  name: 'default',
  transport: undefined,
  streamDefaults: DEFAULT_OPTIONS,
  streams: {},
  maxInFlightBytes: 8 * 1024 * 1024,
  acceptRemoval: true,
  get nowMs() {
    // The global is looked up once a hub, not for each message.
    const clock = performance
    return () => clock.now()
  },
}

const CHECKS: Checks<ResolvedHubOptions> = {
  name: checkHubName,
  transport: checkTransport,
  streamDefaults: (value) => resolveOptions(value as StreamOptions, DEFAULT_OPTIONS),
  streams: checkStreams,
  maxInFlightBytes: (value) => checkNumber('maxInFlightBytes', value, 1),
  acceptRemoval: (value) => checkBoolean('acceptRemoval', value),
  nowMs: checkClock,
}

/** Checks the options of a hub. Throws `INVALID_OPTIONS`, `INVALID_NAME`. */
export function resolveHubOptions(options: HubOptions): ResolvedHubOptions {
  return checkOptions('Hub', options, DEFAULTS, CHECKS)
}

function checkTransport(value: unknown): Transport {
  if (isRecord(value) && typeof value.open === 'function') return value as unknown as Transport
  throw invalid('transport is a Transport object; for a URL use openHub.')
}

function checkStreams(value: unknown): Record<string, StreamOptions> {
  if (isRecord(value)) return value as Record<string, StreamOptions>
  throw invalid('streams is an object of stream options by stream name.')
}

function checkClock(value: unknown): () => number {
  if (typeof value === 'function') return value as () => number
  throw invalid('nowMs is a function that returns milliseconds.')
}
