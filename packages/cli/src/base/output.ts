import { setTimeout as delay, setImmediate as nextTurn } from 'node:timers/promises'
import { styleText } from 'node:util'
import type { CommonOptions } from './common-options.ts'
import { printable } from './printable.ts'
import { until } from './until.ts'

/** A style of `util.styleText`. */
export type Style = Parameters<typeof styleText>[0]

/** Bound on buffered text: some seconds of full network traffic. */
export const MAX_WAITING_LENGTH = 16 * 1024 * 1024
/** Time for which an interrupted command waits for the reader of its output. */
const LAST_WAIT_MS = 1000

/** Writes the output of a command: data to standard output, messages to standard error. */
export class Output {
  /** Whether standard output is a terminal. */
  readonly isTerminal = process.stdout.isTTY === true
  /** Whether to print the summary as JSON on standard output. */
  readonly isJson: boolean
  readonly #isQuiet: boolean
  readonly #hasColors: { readonly data: boolean; readonly words: boolean }
  #isLeft = false
  #failure: Error | undefined
  #dropped = 0

  /** `left` is called when the reader closes the output, as `head` does, and when writing fails. */
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
    // Messages are for people: without a reader they may be lost.
    process.stderr.on('error', () => {})
  }

  /** Whether standard output still has a reader. */
  get hasReader(): boolean {
    return !this.#isLeft
  }

  /** The number of lines dropped because the reader was too slow. */
  get dropped(): number {
    return this.#dropped
  }

  /** Prints a line of data. */
  line(text: string): void {
    this.write(`${text}\n`)
  }

  /** Prints a line of data from the network; drops and counts it while the buffer is full. */
  offer(text: string): void {
    if (process.stdout.writableLength + text.length <= MAX_WAITING_LENGTH) this.line(text)
    else this.#dropped += 1
  }

  /** Writes text to standard output unchanged. */
  write(text: string): void {
    if (!this.#isLeft) process.stdout.write(text)
  }

  /** Prints a message about the work, unless `--quiet` was given. */
  say(text: string): void {
    if (!this.#isQuiet) process.stderr.write(`${printable(text)}\n`)
  }

  /** Prints a warning. */
  warn(text: string): void {
    // A stack has several lines.
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
   * Resolves when all output has been written, or can't be: to false, with a warning, if some was not written although it
   * has a reader. Once `signal` aborts, a slow reader has one more second.
   */
  async finish(signal: AbortSignal): Promise<boolean> {
    const isOut = Promise.all([process.stdout, process.stderr].map(drainedOf)).then(() => true)
    const isLate = until(signal).then(() => delay(LAST_WAIT_MS, false))
    const isDone = await Promise.race([isOut, isLate])
    // The error of a write is emitted a turn later.
    await nextTurn()
    if (this.#failure !== undefined) {
      this.warn(`Standard output can't be written any further: ${this.#failure.message}.`)
    } else if (!isDone) {
      this.warn('The reader of standard output did not take all of it.')
    }
    return isDone && this.#failure === undefined
  }
}

/** Precedence as in Node: `--no-color`, then FORCE_COLOR, then NO_COLOR, then whether it is a terminal. */
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
