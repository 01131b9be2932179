import type { StandardSchemaV1 } from '@standard-schema/spec'
import type { PlatformSignal } from '../base/platform-signal.ts'
import { invalid, RivuletError, shown } from '../errors/errors.ts'
import { isRecord } from '../message/snapshot.ts'
import {
  choiceForm,
  type FormOf,
  flagForm,
  functionForm,
  isOptionsObject,
  LARGEST,
  numberForm,
  readOptions,
  wholeNumberForm,
} from './option-forms.ts'

/** Larger messages would starve small ones on the same connection. */
export const LARGEST_MAX_BYTES = 65_536
/** A year, as Twilio Sync has it. */
const LONGEST_TTL_SECONDS = 31_536_000

/** The rate limit of a stream. */
export interface LimitOptions {
  /** Messages a second in the long run. 0 or more. @default 30 */
  readonly ratePerSecond?: number | undefined
  /** Messages at once. 1 or more. In any T seconds at most `burst + ratePerSecond × T` pass. @default 30 */
  readonly burst?: number | undefined
  /**
   * `'stream'`: messages of other processes count too, so that subscribers are protected from publishers that ignore
   * the limit. `'process'`: only messages of this process count. @default 'stream'
   */
  readonly scope?: 'stream' | 'process' | undefined
  /**
   * The number of processes that publish on the stream, this one included: each keeps to the rate and the burst, and a
   * receiver accepts this many times as much. With 1 all of them share one rate. 1 or more. @default 1
   */
  readonly publishers?: number | undefined
}

/**
 * The options of a stream. The first `hub.stream(name, options)` sets them for the name. Without a schema they fit any
 * type argument of `hub.stream`.
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
  /**
   * The most messages in the queue for capacity, and the most published inside one running fan-out. 0 or more. @default
   * 1000
   */
  readonly maxWaiting?: number | undefined
  /** Seconds until the stream is removed in this process; 0 for never, at most 31 536 000. @default 0 */
  readonly ttlSeconds?: number | undefined
  /**
   * Seconds without a subscriber, a publish or a waiting message after which the stream is closed in this process; 0
   * for never, at most 31 536 000. A stream with a handle of `hub.acquire` is not idle, and a call of `hub.stream`
   * counts as use. @default 0
   */
  readonly idleTtlSeconds?: number | undefined
  /** Whether messages of one tick travel in one frame. `false` only for receivers that can't read arrays. @default true */
  readonly batch?: boolean | undefined
  /** The most that a message from another process may be late, in milliseconds, or `false` for no limit. @default 5000 */
  readonly maxAgeMs?: number | false | undefined
}

/** Options with every default filled in; frozen. */
export interface ResolvedOptions extends Required<Omit<StreamOptions, 'schema' | 'limit'>> {
  readonly schema: StandardSchemaV1 | undefined
  readonly limit: Readonly<Required<LimitOptions>> | false
}

const DEFAULT_LIMIT = Object.freeze({ ratePerSecond: 30, burst: 30, scope: 'stream' as const, publishers: 1 })

/** The options of a stream without options. Source: Twilio Sync's limits, 4 KiB a message, 30 messages a second. */
export const DEFAULT_OPTIONS: ResolvedOptions = Object.freeze({
  schema: undefined,
  maxBytes: 4096,
  limit: DEFAULT_LIMIT,
  maxWaiting: 1_000,
  ttlSeconds: 0,
  idleTtlSeconds: 0,
  batch: true,
  maxAgeMs: 5_000,
})

/** The check of each option: returns the resolved value; `base` is the value of an option that is not given. */
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
  ttlSeconds: (value) => checkTtl(value),
  idleTtlSeconds: (value) => checkTtl(value, 'idleTtlSeconds'),
  batch: (value) => checkBoolean('batch', value),
  maxAgeMs: (value) => value !== false && checkNumber('maxAgeMs', value, 1, LARGEST, 'number'),
}

/** Lays a stream's options over a base. Throws `INVALID_OPTIONS`. */
export function resolveOptions(given: StreamOptions | undefined, base: ResolvedOptions): ResolvedOptions {
  return given === undefined ? base : checkOptions('stream', given, base, STREAM_CHECKS)
}

/**
 * Lays options over a base, each read once and checked; frozen. Throws `INVALID_OPTIONS` for a name that does not
 * exist, too. `kind` names the options in errors.
 */
export function checkOptions<Options extends object>(
  kind: string,
  given: unknown,
  base: Options,
  checks: Checks<Options>,
): Options {
  if (!isOptionsObject(given)) throw invalid(`The ${kind} options are an object, not ${shown(given)}.`)
  const resolved = { ...base }
  const names = Object.keys(checks) as (keyof Options & string)[]
  for (const [name, value] of readOptions(kind, given, names)) {
    resolved[name] = checks[name](value, base[name])
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

/** Throws `STREAM_OPTIONS_CONFLICT` when later options differ from those of the open stream. */
export function checkSameOptions(
  stream: string,
  hub: string,
  given: StreamOptions,
  first: ResolvedOptions,
): void {
  const later = resolveOptions(given, first)
  for (const key of Object.keys(first) as (keyof ResolvedOptions)[]) {
    if (isSame(later[key], first[key])) continue
    throw new RivuletError('STREAM_OPTIONS_CONFLICT', conflict(key, first), { stream, hub })
  }
}

function conflict(key: keyof ResolvedOptions, first: ResolvedOptions): string {
  if (key !== 'schema') {
    return `The stream is open with another ${key}; close it first, or leave the option out.`
  }
  if (first.schema === undefined) {
    return 'The stream is open without a schema; give it with the first call, or close the stream first.'
  }
  return 'The stream is open with another schema object. Make the schema once, in a constant outside of the function, and give that to every call; or leave the option out after the first call.'
}

/** Checks a time to live: whole seconds, 0 (never) to a year. */
export function checkTtl(seconds: unknown, name = 'ttlSeconds'): number {
  return checkNumber(name, seconds, 0, LONGEST_TTL_SECONDS)
}

/** Checks a number's kind and range. Throws `INVALID_OPTIONS`. */
export function checkNumber(
  name: string,
  value: unknown,
  least: number,
  most = LARGEST,
  kind: 'number' | 'whole number' = 'whole number',
): number {
  const form = kind === 'number' ? numberForm(least, most) : wholeNumberForm(least, most)
  return check<number>(form, name, value)
}

/** Checks a switch. Throws `INVALID_OPTIONS`. */
export function checkBoolean(name: string, value: unknown): boolean {
  return check<boolean>(flagForm, name, value)
}

/** Checks that a value is one of a few texts. Throws `INVALID_OPTIONS`. */
export function checkChoice<Choice extends string>(
  name: string,
  value: unknown,
  choices: readonly Choice[],
): Choice {
  return check<Choice>(choiceForm(choices), name, value)
}

/** Checks that a value is a function. Throws `INVALID_OPTIONS`. */
export function checkFunction<Kind>(name: string, value: unknown): Kind {
  return check<Kind>(functionForm, name, value)
}

/** Checks a signal, before anything listens to it. Throws `INVALID_OPTIONS`. */
export function checkSignal(signal: unknown): AbortSignal {
  const isSignal =
    isRecord(signal) &&
    'aborted' in signal &&
    [signal.addEventListener, signal.removeEventListener].every((method) => typeof method === 'function')
  return check<AbortSignal>(() => !isSignal && 'an AbortSignal', 'signal', signal)
}

/** Returns the value when it has the form. Throws `INVALID_OPTIONS`. */
function check<Kind>(form: FormOf, name: string, value: unknown): Kind {
  const words = form(value)
  if (words === false) return value as Kind
  throw invalid(`${name} is ${words}, not ${shown(value)}.`)
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
