import { RivuletError } from 'rivulet'

/** A moment of a recording: milliseconds after its first message, or a date. */
export type RecordedTime = number | Date

/** How a recording is played. */
export interface PlaybackOptions {
  /**
   * How many times faster than it was recorded, from 0.001 to 1000; `'max'` waits for no message's time. Above 1 the
   * receivers' streams need `limit: false`, or a limit of their own that is higher.
   *
   * @default 1
   */
  readonly speed?: number | 'max' | undefined
  /**
   * Whether to begin again at the end, without end: one second after the last message at speed 1.
   *
   * @default false
   */
  readonly loop?: boolean | undefined
  /** New names for streams, by the recorded name; the others keep theirs. */
  readonly rename?: Readonly<Record<string, string>> | undefined
  /** Leaves out what was recorded before it. @default the beginning */
  readonly from?: RecordedTime | undefined
  /** Ends before the first message that was recorded then or later. @default the end */
  readonly to?: RecordedTime | undefined
  /**
   * Whether to leave out lines that are no records, and records that can't be published. They are counted.
   *
   * @default false, which ends at the first one
   */
  readonly skipBad?: boolean | undefined
}

/** Options of `replay`: the recording, and how it is played. */
export interface ReplayOptions extends PlaybackOptions {
  /** The path of the recording, a regular file: NDJSON, or with `.gz` at its end, gzip of that. */
  readonly file: string
  /**
   * The fate of the streams at the end. `'stay'`: nothing more comes. `'remove'`: each is removed, as by a publisher
   * that calls `remove()`, so that iterators and pipelines end.
   *
   * @default 'stay'
   */
  readonly end?: 'stay' | 'remove' | undefined
  /**
   * Is called once the last message was handed over, or the recording can't be read any further. What it throws, or a
   * promise of it rejects with, comes to the hub's event `error`.
   */
  readonly ended?: ((end: PlaybackEnd) => void | Promise<void>) | undefined
}

/** What was played. */
export interface PlaybackEnd {
  /** Messages, in all passes. */
  readonly messages: number
  /** Lines left out as bad, in all passes. */
  readonly skipped: number
  /** Passes that were begun. */
  readonly passes: number
  /** Why it ended early; `undefined` at the end of the recording. */
  readonly error: RivuletError | undefined
}

/** Returns in words what the value of an option must be, or `false` when it is that. */
type Check = (value: unknown) => string | false
type Checks<Options> = Readonly<Record<keyof Options, Check>>

const MIN_SPEED = 0.001
const MAX_SPEED = 1000

const isRecord = (value: unknown) => typeof value === 'object' && value !== null && !Array.isArray(value)
const flag: Check = (value) => typeof value !== 'boolean' && 'true or false'
const time: Check = (value) =>
  !(typeof value === 'number' && value >= 0 && value < Infinity) &&
  !(value instanceof Date && !Number.isNaN(value.getTime())) &&
  'a number of milliseconds from 0, or a date'

const PLAYBACK: Checks<PlaybackOptions> = {
  speed: (value) =>
    value !== 'max' &&
    !(typeof value === 'number' && value >= MIN_SPEED && value <= MAX_SPEED) &&
    `a number from ${MIN_SPEED} to ${MAX_SPEED}, or 'max'`,
  loop: flag,
  rename: (value) =>
    !(isRecord(value) && Object.values(value as object).every((name) => typeof name === 'string')) &&
    'an object of new names by the recorded ones',
  ...{ from: time, to: time, skipBad: flag },
}
const REPLAY: Checks<ReplayOptions> = {
  ...PLAYBACK,
  file: (value) => (typeof value !== 'string' || value === '') && 'the path of a recording',
  end: (value) => value !== 'stay' && value !== 'remove' && "'stay' or 'remove'",
  ended: (value) => typeof value !== 'function' && 'a function',
}

/** Returns a copy of the options of a playback. Throws `INVALID_OPTIONS`. */
export function checkPlayback(given: PlaybackOptions): PlaybackOptions {
  return inOrder(checked(given, PLAYBACK))
}

/** Returns a copy of the options of a transport. Throws `INVALID_OPTIONS`. */
export function checkReplay(given: ReplayOptions): ReplayOptions {
  const options = checked(given, REPLAY)
  if (options.file === undefined) throw invalid('A replay needs the path of a recording: { file }.')
  return inOrder(options)
}

/** Makes an `INVALID_OPTIONS` error. */
export function invalid(message: string): RivuletError {
  return new RivuletError('INVALID_OPTIONS', message)
}

/** A duration and a date can be compared only when the first message is known. */
function inOrder<Options extends PlaybackOptions>(options: Options): Options {
  const { from, to } = options
  if (from === undefined || to === undefined || typeof from !== typeof to || to >= from) return options
  throw invalid('The option "to" of a replay is not before "from".')
}

function checked<Options extends object>(given: Options, checks: Checks<Options>): Options {
  const names = Object.keys(checks).join(', ')
  if (!isRecord(given)) throw invalid(`The options of a replay are an object { ${names} }.`)
  const options = Object.entries(given).filter(([, value]) => value !== undefined)
  for (const [name, value] of options) {
    const check = Object.hasOwn(checks, name) ? checks[name as keyof Options] : undefined
    if (!check) throw invalid(`There is no option "${name}" of a replay; there are ${names}.`)
    const form = check(value)
    if (form) throw invalid(`The option "${name}" of a replay is ${form}.`)
  }
  return Object.freeze(Object.fromEntries(options)) as Options
}
