import { SILENCE_MS } from '../base/protocol.ts'
import { unref } from '../base/unref.ts'

/**
 * Notices that nothing was heard for long. Timers of hidden tabs are late and the monotonic clock of a machine that
 * sleeps may stop, so it compares both clocks, and each message asks it too.
 */
export class Silence {
  readonly #noticed: () => void
  #heardAtMs = 0
  #heardDateMs = 0
  #timer: ReturnType<typeof setTimeout> | undefined

  constructor(noticed: () => void) {
    this.#noticed = noticed
  }

  /** Begins to listen. */
  start(): void {
    this.heard()
    this.#check()
  }

  /** Whether nothing has been heard for too long. */
  get isTooLong(): boolean {
    return this.#silentMs() >= SILENCE_MS
  }

  /** Something was heard. */
  heard(): void {
    this.#heardAtMs = performance.now()
    this.#heardDateMs = Date.now()
  }

  stop(): void {
    clearTimeout(this.#timer)
  }

  #check(): void {
    if (this.isTooLong) return this.#noticed()
    this.#timer = setTimeout(() => this.#check(), SILENCE_MS - this.#silentMs() + 1)
    unref(this.#timer)
  }

  #silentMs(): number {
    return Math.max(0, performance.now() - this.#heardAtMs, Date.now() - this.#heardDateMs)
  }
}
