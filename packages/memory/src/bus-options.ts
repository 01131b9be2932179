import type { Capabilities } from 'rivulet'

/** What a bus does to frames on purpose. Left out, everything is delivered once, at once and in order. */
export interface MemoryBusOptions {
  /**
   * Where every fate is drawn from, an integer from 0 to 4294967295. The same seed gives the same fates for the
   * same sends; change it to see another run.
   * @default 1
   */
  readonly seed?: number
  /** Chance, 0 to 1, that a receiver does not get a frame. Each receiver of a frame draws its own. @default 0 */
  readonly loss?: number
  /** Chance, 0 to 1, that a receiver gets a frame twice. @default 0 */
  readonly duplicate?: number
  /**
   * Least and greatest time in milliseconds, 0 to 60000, that a frame is on its way; each draws its own, so a
   * range lets frames overtake each other. Equal bounds only delay.
   * @default [0, 0]
   */
  readonly delayMs?: readonly [min: number, max: number]
  /**
   * Chance, 0 to 1, that a frame is held back until the same sender has sent its receiver 1 to 8 more, but 20 ms
   * at most.
   * @default 0
   */
  readonly reorder?: number
  /** Hands a transport its own frames back, as MQTT 3.1.1 does. @default false */
  readonly echoes?: boolean
  /**
   * Largest frame in bytes, an integer from 1, or `Infinity`; a larger one is refused.
   * @default 1048576, that of a NATS server: what passes here passes there
   */
  readonly maxFrameBytes?: number
}

/** Every option with its value, checked. */
export type ResolvedOptions = Required<MemoryBusOptions>

const DEFAULTS: ResolvedOptions = {
  seed: 1,
  loss: 0,
  duplicate: 0,
  delayMs: [0, 0],
  reorder: 0,
  echoes: false,
  maxFrameBytes: 1_048_576,
}
const MAX_SEED = 0xffff_ffff
const MAX_DELAY_MS = 60_000

/** Checks options and fills in defaults. Throws `TypeError` for a wrong kind, `RangeError` for a wrong number. */
export function resolveOptions(options: MemoryBusOptions = {}): ResolvedOptions {
  for (const name of Object.keys(options)) {
    if (!Object.hasOwn(DEFAULTS, name)) {
      throw new TypeError(`Unknown option "${name}"; there are ${Object.keys(DEFAULTS).join(', ')}.`)
    }
  }
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined))
  const resolved: ResolvedOptions = { ...DEFAULTS, ...given }
  checkSeed(resolved.seed)
  checkChance('loss', resolved.loss)
  checkChance('duplicate', resolved.duplicate)
  checkChance('reorder', resolved.reorder)
  checkDelay(resolved.delayMs)
  checkEchoes(resolved.echoes)
  checkMaxFrameBytes(resolved.maxFrameBytes)
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
    maxFrameBytes: () => options.maxFrameBytes,
  })
}

function checkSeed(seed: unknown): void {
  if (!Number.isInteger(seed) || !isBetween(seed, 0, MAX_SEED)) {
    throw new RangeError(`seed is an integer from 0 to ${MAX_SEED}, not ${shown(seed)}.`)
  }
}

function checkChance(name: string, chance: unknown): void {
  if (!isBetween(chance, 0, 1)) throw new RangeError(`${name} is a chance from 0 to 1, not ${shown(chance)}.`)
}

function checkDelay(delayMs: unknown): void {
  if (!Array.isArray(delayMs) || delayMs.length !== 2) {
    throw new TypeError(`delayMs is a pair [min, max] in milliseconds, not ${shown(delayMs)}.`)
  }
  const [minMs, maxMs] = delayMs
  if (!isBetween(minMs, 0, MAX_DELAY_MS) || !isBetween(maxMs, minMs, MAX_DELAY_MS)) {
    throw new RangeError(
      `delayMs is [min, max] with 0 <= min <= max <= ${MAX_DELAY_MS}, not ${shown(delayMs)}.`,
    )
  }
}

function checkEchoes(echoes: unknown): void {
  if (typeof echoes !== 'boolean') throw new TypeError(`echoes is true or false, not ${shown(echoes)}.`)
}

function checkMaxFrameBytes(bytes: unknown): void {
  if (bytes === Number.POSITIVE_INFINITY) return
  if (!Number.isSafeInteger(bytes) || (bytes as number) < 1) {
    throw new RangeError(`maxFrameBytes is an integer from 1, or Infinity, not ${shown(bytes)}.`)
  }
}

function isBetween(value: unknown, min: number, max: number): value is number {
  return typeof value === 'number' && value >= min && value <= max
}

function shown(value: unknown): string {
  return Array.isArray(value) ? `[${value.map(String).join(', ')}]` : String(value)
}
