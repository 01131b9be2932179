import type { Environment } from './environment.ts'

/** This many take a few milliseconds with listeners that publish. */
const MOST_AT_ONCE = 1_000

/**
 * Runs actions at once, but after a thousand of them the next ones from a timer. Listeners may cause the event that
 * they listen to again, from one microtask to the next; the timer lets the event loop run.
 */
export class Turns {
  readonly #environment: Pick<Environment, 'setTimer'>
  #count = 0
  /** Actions for the timer, which runs while there are some. */
  #waiting: (() => void)[] = []
  #cancelTimer = () => {}

  constructor(environment: Pick<Environment, 'setTimer'>) {
    this.#environment = environment
  }

  /** Whether actions wait for the timer. */
  get isWaiting(): boolean {
    return this.#waiting.length > 0
  }

  run(action: () => void): void {
    if (this.#waiting.length === 0 && this.#count < MOST_AT_ONCE) {
      this.#count++
      action()
    } else if (this.#waiting.push(action) === 1) {
      this.#cancelTimer = this.#environment.setTimer(() => this.end(), 0, true)
    }
  }

  /** Runs the waiting actions. Actions that they cause wait for the next timer only after another thousand. */
  end(): void {
    this.#cancelTimer()
    const waiting = this.#waiting
    this.#waiting = []
    this.#count = waiting.length
    for (const action of waiting) action()
  }
}
