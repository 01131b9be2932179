/** How slow a link is: what a client may send, and how long an answer takes at least. */
export interface LinkShape {
  /** How many bytes a second pass from the client to the broker. @default no limit */
  readonly uplinkBytesPerSecond?: number
  /** How long bytes are on their way to the broker and back, in milliseconds; half of it each way. @default 0 */
  readonly roundTripMs?: number
}

/** What passes in one step: small, so that bytes arrive evenly. */
const PART_BYTES = 2_048

/** One direction of a slow link: bytes pass at a rate, and arrive after a delay, in their order. */
export class SlowLane {
  readonly #bytesPerMs: number
  readonly #delayMs: number
  readonly #arrivals: (() => void)[] = []
  readonly #timers = new Set<NodeJS.Timeout>()
  /** When what was taken so far has left. */
  #freeAtMs = 0

  constructor(bytesPerSecond: number, delayMs: number) {
    this.#bytesPerMs = bytesPerSecond / 1_000
    this.#delayMs = delayMs
  }

  /** Takes bytes. Calls `arrive` with each part when it has crossed, and `taken` when the lane has room for more. */
  pass(bytes: Buffer, arrive: (part: Buffer) => void, taken: () => void): void {
    for (let at = 0; at < bytes.length; at += PART_BYTES) {
      const part = bytes.subarray(at, at + PART_BYTES)
      this.#freeAtMs = Math.max(performance.now(), this.#freeAtMs) + part.length / this.#bytesPerMs
      this.#arriveLater(() => arrive(part))
    }
    this.#after(this.#freeAtMs, taken)
  }

  /** Calls `arrive` when everything that was taken before has arrived. */
  end(arrive: () => void): void {
    this.#freeAtMs = Math.max(performance.now(), this.#freeAtMs)
    this.#arriveLater(arrive)
  }

  /** Loses what is on its way. */
  cut(): void {
    for (const timer of this.#timers) clearTimeout(timer)
    this.#timers.clear()
    this.#arrivals.length = 0
  }

  /** Timers of one moment may fire in any order, so each hands on what is first in the queue. */
  #arriveLater(arrive: () => void): void {
    this.#arrivals.push(arrive)
    this.#after(this.#freeAtMs + this.#delayMs, () => this.#arrivals.shift()?.())
  }

  #after(dueMs: number, action: () => void): void {
    const run = () => {
      this.#timers.delete(timer)
      action()
    }
    const timer = setTimeout(run, dueMs - performance.now())
    this.#timers.add(timer)
  }
}
