/** The longest wait that `setTimeout` takes, in milliseconds; anything above fires at once. Source: HTML, timers. */
const LONGEST_WAIT_MS = 2 ** 31 - 1

/** Runs one action after a wait of any length; a new wait replaces the old one. */
export class Timer {
  readonly #nowMs: () => number
  readonly #action: () => void
  readonly #holdsProcess: boolean
  #handle: ReturnType<typeof setTimeout> | undefined

  /** `holdsProcess`: whether the wait keeps a Node process alive. */
  constructor(nowMs: () => number, action: () => void, { holdsProcess }: { holdsProcess: boolean }) {
    this.#nowMs = nowMs
    this.#action = action
    this.#holdsProcess = holdsProcess
  }

  get isRunning(): boolean {
    return this.#handle !== undefined
  }

  /** Waits until the clock shows `atMs`, in steps if it must. `Infinity` never comes. */
  start(atMs: number): void {
    this.stop()
    if (atMs === Number.POSITIVE_INFINITY) return
    const waitMs = Math.max(0, atMs - this.#nowMs())
    const isLastStep = waitMs <= LONGEST_WAIT_MS
    this.#handle = setTimeout(
      () => {
        this.#handle = undefined
        if (isLastStep) this.#action()
        else this.start(atMs)
      },
      Math.min(Math.ceil(waitMs), LONGEST_WAIT_MS),
    )
    if (!this.#holdsProcess) (this.#handle as { unref?(): void }).unref?.()
  }

  stop(): void {
    clearTimeout(this.#handle)
    this.#handle = undefined
  }
}
