import { styleText } from 'node:util'
import type { CommonOptions } from './common-options.ts'

/** A style of `util.styleText`. */
export type Style = Parameters<typeof styleText>[0]

/** Writes the output of a command: data to standard output, words about it to standard error. */
export class Output {
  /** Whether standard output is a terminal. */
  readonly isTerminal = process.stdout.isTTY === true
  /** Whether a summary is wanted as JSON on standard output. */
  readonly isJson: boolean
  readonly #isQuiet: boolean
  readonly #hasColors: { readonly data: boolean; readonly words: boolean }
  #isLeft = false

  /** `left` is called when the reader of the output has left, as `head` does. */
  constructor(options: CommonOptions, left: () => void) {
    this.isJson = options.json === true
    this.#isQuiet = options.quiet === true
    this.#hasColors = {
      data: hasColors(process.stdout, options.color),
      words: hasColors(process.stderr, options.color),
    }
    onEnd(process.stdout, () => {
      this.#isLeft = true
      left()
    })
    // Words are for people: without a reader they are not missed.
    onEnd(process.stderr, () => {})
  }

  /** Whether somebody still reads standard output. */
  get hasReader(): boolean {
    return !this.#isLeft
  }

  /** Prints a line of data. */
  line(text: string): void {
    this.write(`${text}\n`)
  }

  /** Writes text to standard output as it is. */
  write(text: string): void {
    if (!this.#isLeft) process.stdout.write(text)
  }

  /** Says something about the work, unless `--quiet` was given. */
  say(text: string): void {
    if (!this.#isQuiet) process.stderr.write(`${text}\n`)
  }

  /** Says what is wrong. */
  warn(text: string): void {
    process.stderr.write(`${this.styledWords('yellow', 'rivulet:')} ${text}\n`)
  }

  /** Styles text for standard output, if that shows colours. */
  styled(style: Style, text: string): string {
    return this.#hasColors.data ? styleText(style, text) : text
  }

  /** Styles text for standard error, if that shows colours. */
  styledWords(style: Style, text: string): string {
    return this.#hasColors.words ? styleText(style, text) : text
  }

  /** Resolves when everything written has left this process, or can't. */
  async drained(): Promise<void> {
    await Promise.all([process.stdout, process.stderr].map(drainedOf))
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

function onEnd(stream: NodeJS.WriteStream, ended: () => void): void {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE' && error.code !== 'EIO') throw error
    ended()
  })
}

function drainedOf(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => {
    if (stream.destroyed || stream.writableLength === 0) resolve()
    else stream.write('', () => resolve())
  })
}
