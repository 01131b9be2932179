const ENTER = '\x1b[?1049h\x1b[?25l'
const LEAVE = '\x1b[?25h\x1b[?1049l'
const HOME = '\x1b[H'
const CLEAR_LINE = '\x1b[2K'
const CLEAR_BELOW = '\x1b[J'
/** Assumed width of a terminal of unknown size. */
const USUAL_WIDTH = 80
const USUAL_HEIGHT = 24

/**
 * The alternate screen of a terminal, without a cursor: the previous content is restored however the process ends.
 */
export class LiveScreen {
  readonly #terminal: NodeJS.WriteStream
  readonly #drawAgain: () => void
  readonly #leave = () => {
    if (!this.#terminal.destroyed) this.#terminal.write(LEAVE)
  }

  /** `drawAgain` is called when the terminal is resized. */
  constructor(terminal: NodeJS.WriteStream, drawAgain: () => void) {
    this.#terminal = terminal
    this.#drawAgain = drawAgain
    terminal.write(ENTER)
    terminal.on('resize', drawAgain)
    process.once('exit', this.#leave)
  }

  get width(): number {
    return this.#terminal.columns || USUAL_WIDTH
  }

  get height(): number {
    return this.#terminal.rows || USUAL_HEIGHT
  }

  /** Shows lines from the top. They must not be wider than the screen. */
  draw(lines: readonly string[]): void {
    const shown = lines.slice(0, this.height)
    // Before the text: after a line of full width it would erase the last character.
    const text = shown.map((line) => `${CLEAR_LINE}${line}`).join('\n')
    this.#terminal.write(`${HOME}${text}${shown.length < this.height ? `\n${CLEAR_BELOW}` : ''}`)
  }

  close(): void {
    this.#terminal.off('resize', this.#drawAgain)
    process.off('exit', this.#leave)
    this.#leave()
  }
}
