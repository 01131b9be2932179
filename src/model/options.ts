import type { StandardSchemaV1 } from '@standard-schema/spec'
import type { PlatformSignal } from '../base/platform-signal.ts'
import { builtInOf } from './built-ins.ts'
import { invalid, RivuletError, shown } from './errors.ts'
import { isRecord } from './snapshot.ts'

/** No bound but that of whole numbers. */
const LARGEST = Number.MAX_SAFE_INTEGER
/** Larger messages would starve small ones on the same connection. */
export const LARGEST_MAX_BYTES = 65_536
/** A year, as Twilio Sync has it. */
const LONGEST_TTL_SECONDS = 31_536_000

/** How fast a stream may be published to. */
export interface LimitOptions {
  /** Messages a second in the long run. 0 or more. @default 30 */
  readonly ratePerSecond?: number | undefined
  /** Messages at once. 1 or more. In any T seconds at most `burst + ratePerSecond × T` pass. @default 30 */
  readonly burst?: number | undefined
  /**
   * `'stream'`: messages of other processes count too, so that subscribers are protected from peers that ignore the
   * limit. `'process'`: only what this process publishes counts. @default 'stream'
   */
  readonly scope?: 'stream' | 'process' | undefined
  /**
   * How many processes publish on the stream, this one included: each keeps the rate and the burst for itself, and a
   * receiver lets in so many times as much. With 1 all of them share one rate. 1 or more. @default 1
   */
  readonly publishers?: number | undefined
}

/**
 * How a stream behaves; all of it optional. The first `hub.stream(name, options)` decides for the name. Without a
 * schema it goes with any type argument of `hub.stream`.
 */
// biome-ignore lint/suspicious/noExplicitAny: the default goes with every stream, whatever is published on it
export interface StreamOptions<In extends object = any, Out = any> {
  /**
   * A synchronous Standard Schema validator (zod, valibot, …). Subscribers get its output: plain objects and arrays
   * in it are copied and frozen, anything else in it, such as a `Date`, is shared by all subscribers. @default none
   */
  readonly schema?: StandardSchemaV1<In, Out> | undefined
  /** The largest message, in bytes of UTF-8 JSON. 2 to 65 536; above 4096 needs a reason. @default 4096 */
  readonly maxBytes?: number | undefined
  /** The rate limit, or `false` for none. @default 30 a second, 30 at once */
  readonly limit?: LimitOptions | false | undefined
  /** How many may wait in line for room, and be published inside one running fan-out. 0 or more. @default 1000 */
  readonly maxWaiting?: number | undefined
  /** Seconds until the stream is removed in this process; 0 for never, at most 31 536 000. @default 0 */
  readonly ttlSeconds?: number | undefined
  /** Whether messages of one tick travel in one frame. `false` only for receivers that can't read arrays. @default true */
  readonly batch?: boolean | undefined
  /** How late a message from another process may be, in milliseconds, or `false` for no limit. @default 5000 */
  readonly maxAgeMs?: number | false | undefined
}

/** Options with every default filled in; frozen. */
export interface ResolvedOptions extends Required<Omit<StreamOptions, 'schema' | 'limit'>> {
  readonly schema: StandardSchemaV1 | undefined
  readonly limit: Readonly<Required<LimitOptions>> | false
}

const DEFAULT_LIMIT = Object.freeze({ ratePerSecond: 30, burst: 30, scope: 'stream' as const, publishers: 1 })

/** What a stream has when nothing is said. Source: Twilio Sync's limits, 4 KiB a message, 30 messages a second. */
export const DEFAULT_OPTIONS: ResolvedOptions = Object.freeze({
  schema: undefined,
  maxBytes: 4096,
  limit: DEFAULT_LIMIT,
  maxWaiting: 1_000,
  ttlSeconds: 0,
  batch: true,
  maxAgeMs: 5_000,
})

/** How each option is checked: returns what the value stands for; `base` is what the option is when not given. */
export type Checks<Options> = {
  readonly [Name in keyof Options]-?: (value: unknown, base: Options[Name]) => Options[Name]
}

const LIMIT_CHECKS: Checks<Required<LimitOptions>> = {
  ratePerSecond: (value) => checkNumber('limit.ratePerSecond', value, 0, LARGEST, 'number'),
  burst: (value) => checkNumber('limit.burst', value, 1, LARGEST, 'number'),
  scope: (value) => checkChoice('limit.scope', value, ['stream', 'process']),
  publishers: (value) => checkNumber('limit.publishers', value, 1),
}

const STREAM_CHECKS: Checks<ResolvedOptions> = {
  schema: checkSchema,
  maxBytes: (value) => checkNumber('maxBytes', value, 2, LARGEST_MAX_BYTES),
  limit: checkLimit,
  maxWaiting: (value) => checkNumber('maxWaiting', value, 0),
  ttlSeconds: checkTtl,
  batch: (value) => checkBoolean('batch', value),
  maxAgeMs: (value) => value !== false && checkNumber('maxAgeMs', value, 1, LARGEST, 'number'),
}

/** Lays a stream's options over a base. Throws `INVALID_OPTIONS` naming what is wrong. */
export function resolveOptions(given: StreamOptions | undefined, base: ResolvedOptions): ResolvedOptions {
  return given === undefined ? base : checkOptions('stream', given, base, STREAM_CHECKS)
}

/**
 * Lays options over a base, each read once and checked; frozen. Throws `INVALID_OPTIONS` for a name that does not
 * exist, too. `kind` says in messages whose options they are.
 */
export function checkOptions<Options extends object>(
  kind: string,
  given: unknown,
  base: Options,
  checks: Checks<Options>,
): Options {
  if (!isRecord(given) || builtInOf(given) !== undefined)
    throw invalid(`The ${kind} options are an object, not ${shown(given)}.`)
  const names = Object.keys(checks) as (keyof Options & string)[]
  const unknown = Object.keys(given).find((name) => !Object.hasOwn(checks, name))
  if (unknown !== undefined) {
    throw invalid(`There is no ${kind} option "${unknown}"; there are ${names.join(', ')}.`)
  }
  const resolved = { ...base }
  for (const name of names) {
    const value = given[name]
    if (value !== undefined) resolved[name] = checks[name](value, base[name])
  }
  return Object.freeze(resolved)
}

/** An options object with nothing but a signal. */
export interface SignalOption {
  /** Ends the wait or the subscription when it aborts. */
  readonly signal?: PlatformSignal | undefined
}

/** Returns the signal of such options. Throws `INVALID_OPTIONS`. */
export function checkSignalOption(kind: string, options: SignalOption | undefined): AbortSignal | undefined {
  if (options === undefined) return undefined
  return checkOptions<SignalOption>(kind, options, {}, { signal: checkSignal }).signal
}

/** Throws `STREAM_OPTIONS_CONFLICT` when options given later differ from those that the stream was opened with. */
export function checkSameOptions(
  stream: string,
  hub: string,
  given: StreamOptions,
  first: ResolvedOptions,
): void {
  const later = resolveOptions(given, first)
  for (const key of Object.keys(first) as (keyof ResolvedOptions)[]) {
    if (isSame(later[key], first[key])) continue
    const message = `The stream is open with another ${key}; close it first, or leave the option out.`
    throw new RivuletError('STREAM_OPTIONS_CONFLICT', message, { stream, hub })
  }
}

/** Checks a time to live: whole seconds, 0 (never) to a year. */
export function checkTtl(seconds: unknown): number {
  return checkNumber('ttlSeconds', seconds, 0, LONGEST_TTL_SECONDS)
}

/** Checks a number's kind and range. Throws `INVALID_OPTIONS`. */
export function checkNumber(
  name: string,
  value: unknown,
  least: number,
  most = LARGEST,
  kind: 'number' | 'whole number' = 'whole number',
): number {
  const isInRange = typeof value === 'number' && value >= least && value <= most
  const isRight = isInRange && (kind === 'number' || Number.isInteger(value))
  return check(isRight, name, value, `a ${kind} from ${least}${most === LARGEST ? '' : ` to ${most}`}`)
}

/** Checks a switch. Throws `INVALID_OPTIONS`. */
export function checkBoolean(name: string, value: unknown): boolean {
  return check(typeof value === 'boolean', name, value, 'true or false')
}

/** Checks that a value is one of a few texts. Throws `INVALID_OPTIONS`. */
export function checkChoice<Choice extends string>(
  name: string,
  value: unknown,
  choices: readonly Choice[],
): Choice {
  return check(choices.includes(value as Choice), name, value, `'${choices.join("' or '")}'`)
}

/** Checks that a value is a function. Throws `INVALID_OPTIONS`. */
export function checkFunction<Kind>(name: string, value: unknown): Kind {
  return check(typeof value === 'function', name, value, 'a function')
}

/** Checks a signal, before anything listens to it. Throws `INVALID_OPTIONS`. */
export function checkSignal(signal: unknown): AbortSignal {
  const isSignal =
    isRecord(signal) &&
    'aborted' in signal &&
    [signal.addEventListener, signal.removeEventListener].every((method) => typeof method === 'function')
  return check(isSignal, 'signal', signal, 'an AbortSignal')
}

function check<Kind>(isRight: boolean, name: string, value: unknown, kind: string): Kind {
  if (isRight) return value as Kind
  throw invalid(`${name} is ${kind}, not ${shown(value)}.`)
}

function checkLimit(value: unknown, base: ResolvedOptions['limit']): ResolvedOptions['limit'] {
  if (value === false) return false
  if (!isRecord(value))
    throw invalid('limit is an object { ratePerSecond, burst, scope, publishers }, or false.')
  return checkOptions('limit', value, base === false ? DEFAULT_LIMIT : base, LIMIT_CHECKS)
}

function checkSchema(schema: unknown): StandardSchemaV1 {
  const standard = (schema as Partial<StandardSchemaV1> | null)?.['~standard']
  if (isRecord(standard) && typeof standard.validate === 'function') return schema as StandardSchemaV1
  throw invalid(
    'schema has no ["~standard"].validate; pass a Standard Schema validator, e.g. of zod or valibot.',
  )
}

function isSame(left: unknown, right: unknown): boolean {
  if (left === right) return true
  if (!isRecord(left) || !isRecord(right) || '~standard' in left) return false
  return Object.keys(right).every((key) => left[key] === right[key])
}
