import type { Capabilities, Environment } from 'rivulet'

/** What a bus needs of an {@link Environment}; its chance comes from the seed. */
type BusEnvironment = Pick<Environment, 'nowMs' | 'setTimer'>

/** What a bus does to frames on purpose. Left out, everything is delivered once, at once and in order. */
export interface MemoryBusOptions {
  /**
   * Where every fault is drawn from, an integer from 0 to 4294967295. The same seed gives the same faults for the
   * same sends; change it to see another run.
   * @default 1
   */
  readonly seed?: number | undefined
  /** Chance, 0 to 1, that a receiver does not get a frame. Each receiver of a frame draws its own. @default 0 */
  readonly loss?: number | undefined
  /** Chance, 0 to 1, that a receiver gets a frame twice. @default 0 */
  readonly duplicate?: number | undefined
  /**
   * Least and greatest time in milliseconds, 0 to 60000, that a frame is on its way; each draws its own, so a
   * range lets frames overtake each other. Equal bounds only delay.
   * @default [0, 0]
   */
  readonly delayMs?: readonly [min: number, max: number] | undefined
  /**
   * Chance, 0 to 1, that a frame is held back until the same sender has sent its receiver 1 to 8 more, but 20 ms
   * at most.
   * @default 0
   */
  readonly reorder?: number | undefined
  /** Hands a transport its own frames back, as MQTT 3.1.1 does. @default false */
  readonly echoes?: boolean | undefined
  /**
   * Largest frame in bytes, an integer from 1, or `Infinity`; a larger one is refused.
   * @default 1048576, that of a NATS server: what passes here passes there
   */
  readonly maxFrameBytes?: number | undefined
  /**
   * The clock and the timers that delays follow; a test passes its own to decide when delayed frames arrive.
   * @default `performance.now` and `setTimeout`, looked up at each call
   */
  readonly environment?: BusEnvironment | undefined
}

/** Every option with its value, checked. */
export type ResolvedOptions = Required<MemoryBusOptions>

// Looked up at each call, so that fake timers that are installed later govern a bus that was made before.
const runtime: BusEnvironment = {
  nowMs: () => performance.now(),
  setTimer(action, waitMs) {
    const timer = setTimeout(action, waitMs)
    return () => clearTimeout(timer)
  },
}

const DEFAULTS: ResolvedOptions = {
  seed: 1,
  loss: 0,
  duplicate: 0,
  delayMs: [0, 0],
  reorder: 0,
  echoes: false,
  maxFrameBytes: 1_048_576,
  environment: runtime,
}
const MAX_SEED = 0xffff_ffff
const MAX_DELAY_MS = 60_000

/** An option, what it has to be, a test for that, and the error when it is not: a RangeError if none is named. */
type Rule = readonly [keyof MemoryBusOptions, string, (value: unknown) => boolean, typeof TypeError?]

const RULES: readonly Rule[] = [
  [
    'seed',
    `an integer from 0 to ${MAX_SEED}`,
    (value) => Number.isInteger(value) && isBetween(value, 0, MAX_SEED),
  ],
  ['loss', 'a chance from 0 to 1', isChance],
  ['duplicate', 'a chance from 0 to 1', isChance],
  ['reorder', 'a chance from 0 to 1', isChance],
  ['delayMs', 'a pair [min, max] in milliseconds', isPair, TypeError],
  ['delayMs', `[min, max] with 0 <= min <= max <= ${MAX_DELAY_MS}`, isRangeOfDelays],
  ['echoes', 'true or false', (value) => typeof value === 'boolean', TypeError],
  ['maxFrameBytes', 'an integer from 1, or Infinity', isFrameLimit],
  ['environment', 'an object with nowMs and setTimer', isEnvironment, TypeError],
]

/** Checks options and fills in defaults. Throws `TypeError` for a wrong kind, `RangeError` for a wrong number. */
export function resolveOptions(options: MemoryBusOptions = {}): ResolvedOptions {
  for (const name of Object.keys(options)) {
    if (!Object.hasOwn(DEFAULTS, name)) {
      throw new TypeError(`Unknown option "${name}"; there are ${Object.keys(DEFAULTS).join(', ')}.`)
    }
  }
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined))
  const resolved: ResolvedOptions = { ...DEFAULTS, ...given }
  for (const [name, expected, accepts, error = RangeError] of RULES) {
    const value = resolved[name]
    if (!accepts(value)) throw new error(`${name} is ${expected}, not ${shown(value)}.`)
  }
  const [minMs, maxMs] = resolved.delayMs
  return Object.freeze({ ...resolved, delayMs: Object.freeze([minMs, maxMs] as const) })
}

/** Says what a bus with these options can do. */
export function capabilitiesOf(options: ResolvedOptions): Capabilities {
  const [minMs, maxMs] = options.delayMs
  return Object.freeze({
    scope: 'process',
    echoes: options.echoes,
    ordered: options.reorder === 0 && minMs === maxMs,
    watch: true,
    maxFrameBytes: () => options.maxFrameBytes,
  })
}

function isChance(value: unknown): boolean {
  return isBetween(value, 0, 1)
}

function isPair(value: unknown): boolean {
  return Array.isArray(value) && value.length === 2
}

function isRangeOfDelays(value: unknown): boolean {
  const [minMs, maxMs] = value as unknown[]
  return isBetween(minMs, 0, MAX_DELAY_MS) && isBetween(maxMs, minMs, MAX_DELAY_MS)
}

function isFrameLimit(value: unknown): boolean {
  return value === Infinity || (Number.isSafeInteger(value) && (value as number) >= 1)
}

function isEnvironment(value: unknown): boolean {
  const { nowMs, setTimer } = Object(value) as Partial<BusEnvironment>
  return typeof nowMs === 'function' && typeof setTimer === 'function'
}

function isBetween(value: unknown, min: number, max: number): value is number {
  return typeof value === 'number' && value >= min && value <= max
}

function shown(value: unknown): string {
  return Array.isArray(value) ? `[${value.map(String).join(', ')}]` : String(value)
}
