import { setTimeout as delay, setImmediate as nextTurn } from 'node:timers/promises'
import { styleText } from 'node:util'
import type { CommonOptions } from './common-options.ts'
import { printable } from './printable.ts'
import { until } from './until.ts'

/** A style of `util.styleText`. */
export type Style = Parameters<typeof styleText>[0]

/** Text that may wait for its reader: some seconds of all that a network brings. */
export const MAX_WAITING_LENGTH = 16 * 1024 * 1024
/** How long an interrupted command waits for the reader of its output. */
const LAST_WAIT_MS = 1000

/** Writes the output of a command: data to standard output, words about it to standard error. */
export class Output {
  /** Whether standard output is a terminal. */
  readonly isTerminal = process.stdout.isTTY === true
  /** Whether a summary is wanted as JSON on standard output. */
  readonly isJson: boolean
  readonly #isQuiet: boolean
  readonly #hasColors: { readonly data: boolean; readonly words: boolean }
  #isLeft = false
  #failure: Error | undefined
  #dropped = 0

  /** `left` is called when the reader of the output has left, as `head` does, and when it can't be written. */
  constructor(options: CommonOptions, left: () => void) {
    this.isJson = options.json === true
    this.#isQuiet = options.quiet === true
    this.#hasColors = {
      data: hasColors(process.stdout, options.color),
      words: hasColors(process.stderr, options.color),
    }
    process.stdout.on('error', (error: NodeJS.ErrnoException) => {
      this.#isLeft = true
      if (error.code !== 'EPIPE' && error.code !== 'EIO') this.#failure ??= error
      left()
    })
    // Words are for people: without a reader they are not missed.
    process.stderr.on('error', () => {})
  }

  /** Whether somebody still reads standard output. */
  get hasReader(): boolean {
    return !this.#isLeft
  }

  /** How many lines were dropped since the reader was too slow. */
  get dropped(): number {
    return this.#dropped
  }

  /** Prints a line of data. */
  line(text: string): void {
    this.write(`${text}\n`)
  }

  /** Prints a line of data that comes unasked. While too much waits for the reader, the line is dropped and counted. */
  offer(text: string): void {
    if (process.stdout.writableLength + text.length <= MAX_WAITING_LENGTH) this.line(text)
    else this.#dropped += 1
  }

  /** Writes text to standard output as it is. */
  write(text: string): void {
    if (!this.#isLeft) process.stdout.write(text)
  }

  /** Says something about the work, unless `--quiet` was given. */
  say(text: string): void {
    if (!this.#isQuiet) process.stderr.write(`${printable(text)}\n`)
  }

  /** Says what is wrong. */
  warn(text: string): void {
    // A stack has lines.
    const lines = process.env.DEBUG ? text.split('\n') : [text]
    process.stderr.write(`${this.styledWords('yellow', 'rivulet:')} ${lines.map(printable).join('\n')}\n`)
  }

  /** Styles text for standard output, if that shows colours. */
  styled(style: Style, text: string): string {
    return this.#hasColors.data ? styleText(style, text) : text
  }

  /** Styles text for standard error, if that shows colours. */
  styledWords(style: Style, text: string): string {
    return this.#hasColors.words ? styleText(style, text) : text
  }

  /**
   * Resolves when everything written has left this process, or can't: to whether it did, or nobody wanted it. Says why it
   * did not. Once `signal` aborts, a slow reader has one second more.
   */
  async finish(signal: AbortSignal): Promise<boolean> {
    const isOut = Promise.all([process.stdout, process.stderr].map(drainedOf)).then(() => true)
    const isLate = until(signal).then(() => delay(LAST_WAIT_MS, false))
    const isDone = await Promise.race([isOut, isLate])
    // What is wrong with a write is told a turn later.
    await nextTurn()
    if (this.#failure !== undefined) {
      this.warn(`Standard output can't be written any further: ${this.#failure.message}.`)
    } else if (!isDone) {
      this.warn('The reader of standard output did not take all of it.')
    }
    return isDone && this.#failure === undefined
  }
}

/** `--no-color` goes first, then FORCE_COLOR, then NO_COLOR, as Node has it, then whether it is a terminal. */
function hasColors(stream: NodeJS.WriteStream, color: boolean): boolean {
  const { FORCE_COLOR, NO_COLOR } = process.env
  if (!color) return false
  if (FORCE_COLOR !== undefined) return !['0', 'false'].includes(FORCE_COLOR)
  if (NO_COLOR) return false
  return stream.isTTY === true && stream.hasColors()
}

function drainedOf(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => {
    if (stream.destroyed || stream.writableLength === 0) resolve()
    else stream.write('', () => resolve())
  })
}
