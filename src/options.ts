import type { StandardSchemaV1 } from '@standard-schema/spec'
import { RivuletError } from './errors.ts'
import { isRecord } from './snapshot.ts'

/** The source of the defaults is Twilio Sync's published limits: 4 KiB a message, 30 messages a second a stream. */
const DEFAULT_MAX_BYTES = 4096
const DEFAULT_RATE_PER_SECOND = 30
const DEFAULT_BURST = 30
const DEFAULT_MAX_WAITING = 1_000
const DEFAULT_MAX_AGE_MS = 5_000
/** Larger messages would starve small ones on the same connection. */
const LARGEST_MAX_BYTES = 65_536
/** A year, as Twilio Sync has it. */
const LONGEST_TTL_SECONDS = 31_536_000

/** How fast a stream may be published to. */
export interface LimitOptions {
  /** Messages a second in the long run. 0 or more. @default 30 */
  readonly ratePerSecond?: number
  /** Messages at once. 1 or more. In any T seconds at most `burst + ratePerSecond × T` pass. @default 30 */
  readonly burst?: number
  /**
   * `'stream'`: messages from other processes fill the bucket too, so no subscriber sees more than the rate,
   * however many publish. `'process'`: only what this process publishes counts. @default 'stream'
   */
  readonly scope?: 'stream' | 'process'
}

/** How a stream behaves; all of it optional. The first `hub.stream(name, options)` decides for the name. */
export interface StreamOptions<In extends object = object, Out = unknown> {
  /** A synchronous Standard Schema validator (zod, valibot, …). Subscribers get its output. @default none */
  readonly schema?: StandardSchemaV1<In, Out>
  /** The largest message, in bytes of UTF-8 JSON. 2 to 65 536; above 4096 needs a reason. @default 4096 */
  readonly maxBytes?: number
  /** The rate limit, or `false` for none. @default 30 a second, 30 at once */
  readonly limit?: LimitOptions | false
  /** How many may wait in line for room, and inside subscribers for a fan-out to end. 0 or more. @default 1000 */
  readonly maxWaiting?: number
  /** Seconds until the stream is removed in this process; 0 for never, at most 31 536 000. @default 0 */
  readonly ttlSeconds?: number
  /** Whether messages of one tick travel in one frame. `false` only for receivers that can't read arrays. @default true */
  readonly batch?: boolean
  /** How late a message from another process may be, in milliseconds, or `false` for no limit. @default 5000 */
  readonly maxAgeMs?: number | false
}

/** Options with every default filled in; frozen. */
export interface ResolvedOptions {
  readonly schema: StandardSchemaV1 | undefined
  readonly maxBytes: number
  readonly limit: Readonly<Required<LimitOptions>> | false
  readonly maxWaiting: number
  readonly ttlSeconds: number
  readonly batch: boolean
  readonly maxAgeMs: number | false
}

/** What a stream has when nothing is said. */
export const DEFAULT_OPTIONS: ResolvedOptions = Object.freeze({
  schema: undefined,
  maxBytes: DEFAULT_MAX_BYTES,
  limit: Object.freeze({
    ratePerSecond: DEFAULT_RATE_PER_SECOND,
    burst: DEFAULT_BURST,
    scope: 'stream' as const,
  }),
  maxWaiting: DEFAULT_MAX_WAITING,
  ttlSeconds: 0,
  batch: true,
  maxAgeMs: DEFAULT_MAX_AGE_MS,
})

/** Lays options over a base. Throws `INVALID_OPTIONS` naming what is wrong, also for a name that does not exist. */
export function resolveOptions(given: StreamOptions | undefined, base: ResolvedOptions): ResolvedOptions {
  if (given === undefined) return base
  if (!isRecord(given)) throw invalid('Stream options are an object.')
  for (const key of Object.keys(given)) {
    if (!Object.hasOwn(base, key)) {
      throw invalid(
        `There is no stream option "${key}"; there are ${Object.keys(DEFAULT_OPTIONS).join(', ')}.`,
      )
    }
  }
  const { schema = base.schema, limit = base.limit, maxBytes = base.maxBytes } = given
  const { maxWaiting = base.maxWaiting, ttlSeconds = base.ttlSeconds } = given
  const { batch = base.batch, maxAgeMs = base.maxAgeMs } = given
  return Object.freeze({
    schema: schema === undefined ? undefined : checkSchema(schema),
    maxBytes: checkNumber('maxBytes', maxBytes, 2, LARGEST_MAX_BYTES, true),
    limit: limit === base.limit ? base.limit : resolveLimit(limit, base.limit),
    maxWaiting: checkNumber('maxWaiting', maxWaiting, 0, Number.MAX_SAFE_INTEGER, true),
    ttlSeconds: checkTtl(ttlSeconds),
    batch: checkBoolean('batch', batch),
    maxAgeMs: checkMaxAge(maxAgeMs),
  })
}

/** Throws `STREAM_OPTIONS_CONFLICT` when options given later differ from those that the stream was opened with. */
export function checkSameOptions(name: string, given: StreamOptions, first: ResolvedOptions): void {
  const later = resolveOptions(given, first)
  for (const key of Object.keys(first) as (keyof ResolvedOptions)[]) {
    if (!isSame(later[key], first[key])) {
      throw new RivuletError(
        'STREAM_OPTIONS_CONFLICT',
        `Stream "${name}" is open with another ${key}; close it first, or leave the option out.`,
      )
    }
  }
}

/** Checks a time to live: whole seconds, 0 (never) to a year. */
export function checkTtl(seconds: unknown): number {
  return checkNumber('ttlSeconds', seconds, 0, LONGEST_TTL_SECONDS, true)
}

/** Checks a number's range, and with `isWhole` that it is whole. Throws `INVALID_OPTIONS`. */
export function checkNumber(
  name: string,
  value: unknown,
  least: number,
  most: number,
  isWhole: boolean,
): number {
  const isRight =
    typeof value === 'number' && value >= least && value <= most && (!isWhole || Number.isInteger(value))
  if (!isRight) {
    const range = most === Number.MAX_SAFE_INTEGER ? `from ${least}` : `from ${least} to ${most}`
    throw invalid(`${name} is a ${isWhole ? 'whole ' : ''}number ${range}, not ${shown(value)}.`)
  }
  return value
}

/** Checks a switch. Throws `INVALID_OPTIONS`. */
export function checkBoolean(name: string, value: unknown): boolean {
  if (typeof value !== 'boolean') throw invalid(`${name} is true or false, not ${shown(value)}.`)
  return value
}

/** Shows a wrong value in a message; `String` alone throws on some objects. */
export function shown(value: unknown): string {
  return typeof value === 'object' && value !== null ? 'an object' : String(value).slice(0, 80)
}

/** Makes an `INVALID_OPTIONS` error. */
export function invalid(message: string): RivuletError {
  return new RivuletError('INVALID_OPTIONS', message)
}

function resolveLimit(given: unknown, base: ResolvedOptions['limit']): ResolvedOptions['limit'] {
  if (given === false) return false
  if (!isRecord(given)) throw invalid('limit is an object { ratePerSecond, burst, scope }, or false.')
  const under = base === false ? (DEFAULT_OPTIONS.limit as Required<LimitOptions>) : base
  for (const key of Object.keys(given)) {
    if (!Object.hasOwn(under, key))
      throw invalid(`There is no limit.${key}; there are ratePerSecond, burst, scope.`)
  }
  const {
    ratePerSecond = under.ratePerSecond,
    burst = under.burst,
    scope = under.scope,
  } = given as LimitOptions
  if (scope !== 'stream' && scope !== 'process')
    throw invalid(`limit.scope is 'stream' or 'process', not ${shown(scope)}.`)
  return Object.freeze({
    ratePerSecond: checkNumber('limit.ratePerSecond', ratePerSecond, 0, Number.MAX_SAFE_INTEGER, false),
    burst: checkNumber('limit.burst', burst, 1, Number.MAX_SAFE_INTEGER, false),
    scope,
  })
}

function checkSchema(schema: unknown): StandardSchemaV1 {
  const isCallable = typeof schema === 'function' // some validators are functions
  if (!isRecord(schema) && !isCallable) throw invalid('schema is a Standard Schema validator.')
  const standard = (schema as Record<string, unknown>)['~standard']
  if (!isRecord(standard) || typeof standard.validate !== 'function') {
    throw invalid(
      'schema has no ["~standard"].validate; pass a Standard Schema validator, e.g. of zod or valibot.',
    )
  }
  return schema as unknown as StandardSchemaV1
}

function checkMaxAge(value: unknown): number | false {
  return value === false ? false : checkNumber('maxAgeMs', value, 1, Number.MAX_SAFE_INTEGER, false)
}

function isSame(left: unknown, right: unknown): boolean {
  if (left === right) return true
  if (!isRecord(left) || !isRecord(right) || '~standard' in left) return false
  return Object.keys(right).every((key) => left[key] === right[key])
}
