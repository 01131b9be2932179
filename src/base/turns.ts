import type { Environment } from './environment.ts'

/** So many take a few milliseconds with listeners that publish. */
const MOST_AT_ONCE = 1_000

/**
 * Runs actions at once, but after a thousand of them the next ones from a timer. What listeners of an event cause may
 * tell them of that event again, from one microtask to the next: so the event loop goes on turning.
 */
export class Turns {
  readonly #environment: Pick<Environment, 'setTimer'>
  #count = 0
  /** For the timer; none runs while there are none. */
  #waiting: (() => void)[] = []
  #cancelTimer = () => {}

  constructor(environment: Pick<Environment, 'setTimer'>) {
    this.#environment = environment
  }

  /** Whether anything waits for the timer. */
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

  /** Runs what waits. Those that it causes wait for the next timer only when they are a thousand again. */
  end(): void {
    this.#cancelTimer()
    const waiting = this.#waiting
    this.#waiting = []
    this.#count = waiting.length
    for (const action of waiting) action()
  }
}
