import type { RivuletError } from 'rivulet'
import {
  checkOptions,
  choiceForm,
  type FormOf,
  filledForm,
  flagForm,
  functionForm,
  invalidOptions,
  numberForm,
  objectForm,
  type Rules,
  textForm,
  visible,
} from 'rivulet/adapter'

/** A moment of a recording: milliseconds after its first message, or a date. */
export type RecordedTime = number | Date

/** Options of a playback. */
export interface PlaybackOptions {
  /**
   * Factor of the recorded speed, from 0.001 to 1000; `'max'` never waits. Above 1 the receivers' streams need
   * `limit: false` or a higher limit.
   *
   * @default 1
   */
  readonly speed?: number | 'max' | undefined
  /**
   * Whether to repeat the recording forever. The next pass begins one second after the last message at speed 1.
   *
   * @default false
   */
  readonly loop?: boolean | undefined
  /** New names of streams, keyed by the recorded name; other streams keep theirs. */
  readonly rename?: Readonly<Record<string, string>> | undefined
  /** Skips the messages recorded before this time. @default the beginning */
  readonly from?: RecordedTime | undefined
  /** Ends before the first message recorded at this time or later. @default the end */
  readonly to?: RecordedTime | undefined
  /**
   * Whether to skip and count lines that are no records, and records that can't be published.
   *
   * @default false, which ends the playback at the first one
   */
  readonly skipBad?: boolean | undefined
}

/** Options of `replay`: the recording and its playback. */
export interface ReplayOptions extends PlaybackOptions {
  /** The path of the recording, a regular file with NDJSON, or with gzip of it if the path ends in `.gz`. */
  readonly file: string
  /**
   * The fate of the streams at the end. `'stay'`: they stay open. `'remove'`: each is removed, as if a publisher called
   * `remove()`, so that iterators and pipelines end.
   *
   * @default 'stay'
   */
  readonly end?: 'stay' | 'remove' | undefined
  /**
   * Called after the last message, or when the recording can't be read any further. If it throws or rejects, the hub
   * emits `error`.
   */
  readonly ended?: ((end: PlaybackEnd) => void | Promise<void>) | undefined
}

/** The outcome of a playback. */
export interface PlaybackEnd {
  /** The messages played, in all passes. */
  readonly messages: number
  /** The bad lines skipped, in all passes. */
  readonly skipped: number
  /** The passes begun. */
  readonly passes: number
  /** The reason for an early end; `undefined` at the end of the recording. */
  readonly error: RivuletError | undefined
}

const MIN_SPEED = 0.001
const MAX_SPEED = 1000

const speedForm: FormOf = (value) => {
  const words = value !== 'max' && numberForm(MIN_SPEED, MAX_SPEED)(value)
  return words && `${words}, or 'max'`
}
const timeForm: FormOf = (value) => {
  const isTime = typeof value === 'number' && value >= 0 && value < Infinity
  const isDate = value instanceof Date && !Number.isNaN(value.getTime())
  return !isTime && !isDate && 'a number of milliseconds from 0, or a date'
}
const namesForm: FormOf = (value) => {
  const words = 'an object of new names by the recorded ones'
  return objectForm(words)(value) || (Object.values(value as object).some(textForm) && words)
}

const PLAYBACK: Rules<PlaybackOptions> = {
  speed: visible(speedForm),
  loop: visible(flagForm),
  rename: namesForm,
  from: visible(timeForm),
  to: visible(timeForm),
  skipBad: visible(flagForm),
}
const REPLAY: Rules<ReplayOptions> = {
  ...PLAYBACK,
  file: (value) => filledForm(value) && 'the path of a recording',
  end: visible(choiceForm(['stay', 'remove'])),
  ended: functionForm,
}

/** Returns a copy of the options of a playback. Throws `INVALID_OPTIONS`. */
export function checkPlayback(given: PlaybackOptions): PlaybackOptions {
  return inOrder(checkOptions('replay', given, PLAYBACK))
}

/** Returns a copy of the options of a transport. Throws `INVALID_OPTIONS`. */
export function checkReplay(given: ReplayOptions): ReplayOptions {
  const options = checkOptions('replay', given, REPLAY)
  if (options.file === undefined) throw invalidOptions('A replay needs the path of a recording: { file }.')
  return inOrder(options)
}

/** Checks that `from` is not after `to`. A duration and a date are comparable only once the first message is known. */
function inOrder<Options extends PlaybackOptions>(options: Options): Options {
  const { from, to } = options
  if (from === undefined || to === undefined || typeof from !== typeof to || to >= from) return options
  throw invalidOptions('The replay option "to" is not before "from".')
}
