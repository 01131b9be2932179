import type { Capabilities, Environment } from 'rivulet'
import {
  checkOptions,
  type FormOf,
  flagForm,
  numberForm,
  type Rules,
  visible,
  wholeNumberForm,
} from 'rivulet/adapter'

/** The clock and the timers of an {@link Environment}; random numbers come from the seed. */
type BusEnvironment = Pick<Environment, 'nowMs' | 'setTimer'>

/** Faults that a bus injects. Without any, every frame is delivered once, immediately and in order. */
export interface MemoryBusOptions {
  /**
   * The seed of all faults, an integer from 0 to 4294967295. The same seed gives the same faults for the same sends;
   * change it for another run.
   * @default 1
   */
  readonly seed?: number | undefined
  /** Chance, 0 to 1, that a receiver does not get a frame. Each receiver of a frame draws its own. @default 0 */
  readonly loss?: number | undefined
  /** Chance, 0 to 1, that a receiver gets a frame twice. @default 0 */
  readonly duplicate?: number | undefined
  /**
   * Least and greatest latency of a frame in milliseconds, 0 to 60000. Each frame draws its own, so a range lets frames
   * overtake each other. Equal bounds only delay.
   * @default [0, 0]
   */
  readonly delayMs?: readonly [min: number, max: number] | undefined
  /**
   * Chance, 0 to 1, that a frame is delayed until the same sender has sent its receiver 1 to 8 more frames, for 20 ms
   * at most.
   * @default 0
   */
  readonly reorder?: number | undefined
  /** Hands a transport its own frames back, as MQTT 3.1.1 does. @default false */
  readonly echoes?: boolean | undefined
  /**
   * Largest frame in bytes, an integer from 1, or `Infinity`; a larger one is refused.
   * @default 1048576, the default of a NATS server, so that both accept the same frames
   */
  readonly maxFrameBytes?: number | undefined
  /**
   * The clock and the timers of delays; a test passes its own to decide when delayed frames arrive.
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

const chanceForm: FormOf = (value) => numberForm(0, 1)(value) && 'a chance from 0 to 1'

const RULES: Rules<MemoryBusOptions> = {
  seed: visible(wholeNumberForm(0, MAX_SEED)),
  loss: visible(chanceForm),
  duplicate: visible(chanceForm),
  reorder: visible(chanceForm),
  delayMs: visible(delayForm),
  echoes: visible(flagForm),
  maxFrameBytes: visible((value) => value !== Infinity && orInfinity(wholeNumberForm(1)(value))),
  environment: environmentForm,
}

/** Checks options and fills in defaults. Throws `INVALID_OPTIONS`. */
export function resolveOptions(given: MemoryBusOptions = {}): ResolvedOptions {
  const options = checkOptions('memory', given, RULES)
  const resolved = { ...DEFAULTS, ...options } as ResolvedOptions
  const [minMs, maxMs] = resolved.delayMs
  return Object.freeze({ ...resolved, delayMs: Object.freeze([minMs, maxMs] as const) })
}

/** Returns the capabilities of a bus with these options. */
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

/** A pair of times, the least first. */
function delayForm(value: unknown): string | false {
  const [minMs, maxMs, ...others] = Array.isArray(value) ? value : []
  const isPair =
    others.length === 0 && [minMs, maxMs].every((ms) => numberForm(0, MAX_DELAY_MS)(ms) === false)
  return (
    !(isPair && minMs <= maxMs) && `a pair [min, max] in milliseconds, 0 <= min <= max <= ${MAX_DELAY_MS}`
  )
}

function environmentForm(value: unknown): string | false {
  const { nowMs, setTimer } = Object(value) as Partial<BusEnvironment>
  const isEnvironment = typeof nowMs === 'function' && typeof setTimer === 'function'
  return !isEnvironment && 'an object with nowMs and setTimer'
}

function orInfinity(words: string | false): string | false {
  return words && `${words}, or Infinity`
}
