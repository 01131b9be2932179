import type { Transport } from '../connection/transport.ts'
import { invalid, shown } from '../errors/errors.ts'
import { isRecord } from '../message/snapshot.ts'
import { checkHubName, checkStreamName } from '../message/topic.ts'
import {
  type Checks,
  checkBoolean,
  checkFunction,
  checkNumber,
  checkOptions,
  DEFAULT_OPTIONS,
  type ResolvedOptions,
  resolveOptions,
  type StreamOptions,
} from '../state/options.ts'
import { DEFAULT_TIMEOUTS, resolveTimeouts, type TimeoutOptions, type Timeouts } from '../state/timeouts.ts'

/** The options of a hub. */
export interface HubOptions {
  /** The namespace: hubs of one name share their streams over a transport. 1–64 of `[A-Za-z0-9_-]`. @default 'default' */
  readonly name?: string | undefined
  /** Carries messages to other processes; one for each hub. It starts connecting at once. @default none, this process only */
  readonly transport?: Transport | undefined
  /** Options of streams that are opened without options of their own. */
  readonly streamDefaults?: StreamOptions | undefined
  /** Options of single streams by their name, over `streamDefaults`. Good for a configuration file. */
  readonly streams?: Readonly<Record<string, StreamOptions>> | undefined
  /**
   * The most bytes in flight to the broker; a frame beyond that is lost as `congested`. While responses come late the
   * limit is lower: the bytes that the link carries in one and a half seconds. @default 8388608
   */
  readonly maxInFlightBytes?: number | undefined
  /**
   * The most publishers of one stream that are remembered, by their last numbers and delays, some 300 bytes each, to
   * detect repeats, gaps and late messages. A publisher that was silent for two minutes and `maxAgeMs` is forgotten;
   * raise this if more of them publish within a minute. 1 or more. @default 10000
   */
  readonly maxPublishersPerStream?: number | undefined
  /** The same for all streams of the hub together: a publisher counts once for each stream. 1 or more. @default 200000 */
  readonly maxPublishers?: number | undefined
  /** The waits for the broker. @default those of a link that may go over a satellite */
  readonly timeouts?: TimeoutOptions | undefined
  /** Whether another process may remove streams here. @default true */
  readonly acceptRemoval?: boolean | undefined
  /** A monotonic clock in milliseconds, for tests. @default performance.now */
  readonly nowMs?: (() => number) | undefined
}

/** The options of a hub, checked, with the defaults filled in. */
export interface ResolvedHubOptions {
  readonly name: string
  readonly transport: Transport | undefined
  readonly streamDefaults: ResolvedOptions
  readonly streams: ReadonlyMap<string, ResolvedOptions>
  readonly maxInFlightBytes: number
  readonly maxPublishersPerStream: number
  readonly maxPublishers: number
  readonly timeouts: Timeouts
  readonly acceptRemoval: boolean
  readonly nowMs: (() => number) | undefined
}

const DEFAULTS = {
  name: 'default',
  transport: undefined as Transport | undefined,
  streamDefaults: DEFAULT_OPTIONS,
  streams: {} as Readonly<Record<string, unknown>>,
  maxInFlightBytes: 8 * 1024 * 1024,
  maxPublishersPerStream: 10_000,
  maxPublishers: 200_000,
  timeouts: DEFAULT_TIMEOUTS,
  acceptRemoval: true,
  nowMs: undefined as (() => number) | undefined,
}

const CHECKS: Checks<typeof DEFAULTS> = {
  name: checkHubName,
  transport: checkTransport,
  streamDefaults: (value) => resolveOptions(value as StreamOptions, DEFAULT_OPTIONS),
  streams: (value) => {
    if (isRecord(value)) return value
    throw invalid('streams is an object of stream options by stream name.')
  },
  maxInFlightBytes: (value) => checkNumber('maxInFlightBytes', value, 1),
  maxPublishersPerStream: (value) => checkNumber('maxPublishersPerStream', value, 1),
  maxPublishers: (value) => checkNumber('maxPublishers', value, 1),
  timeouts: resolveTimeouts,
  acceptRemoval: (value) => checkBoolean('acceptRemoval', value),
  nowMs: (value) => checkFunction('nowMs', value),
}

const CAPABILITIES = {
  scope: 'string',
  maxFrameBytes: 'function',
  echoes: 'boolean',
  ordered: 'boolean',
  watch: 'boolean',
}
const METHODS = ['open', 'send', 'join', 'leave', 'watch', 'flush', 'close'] as const

/** Checks the options of a hub. Throws `INVALID_OPTIONS`, `INVALID_NAME`. */
export function resolveHubOptions(given: HubOptions): ResolvedHubOptions {
  if (typeof given === 'string') {
    throw invalid(`createHub takes options, not ${shown(given)}; for a URL: await openHub(url).`)
  }
  const { streams, ...options } = checkOptions('hub', given, DEFAULTS, CHECKS)
  const named = Object.entries(streams).map(([name, value]): [string, ResolvedOptions] => [
    checkStreamName(name),
    resolveOptions(value as StreamOptions, options.streamDefaults),
  ])
  return { ...options, streams: new Map(named) }
}

/** Checks that a transport has the members that the core uses. Throws `INVALID_OPTIONS`. */
function checkTransport(value: unknown): Transport {
  if (!isRecord(value)) throw invalid('transport is a Transport object; for a URL use openHub.')
  const missing: string[] = METHODS.filter((name) => typeof value[name] !== 'function')
  if (typeof value.name !== 'string') missing.push('name')
  const capabilities = isRecord(value.capabilities) ? value.capabilities : {}
  for (const [name, type] of Object.entries(CAPABILITIES)) {
    if (typeof capabilities[name] !== type) missing.push(`capabilities.${name}`)
  }
  if (missing.length === 0) return value as unknown as Transport
  throw invalid(`The transport has no ${missing.join(', ')}; see the interface Transport.`)
}
