import { Timer } from './timer.ts'

/** Ends a stream after its time to live. Counted from when it is set, on the monotonic clock. */
export class Expiry {
  readonly #nowMs: () => number
  readonly #timer: Timer
  #ttlSeconds = 0
  #expiresAt: Date | null = null

  constructor(nowMs: () => number, expire: () => void) {
    this.#nowMs = nowMs
    this.#timer = new Timer(nowMs, expire, { holdsProcess: false })
  }

  get ttlSeconds(): number {
    return this.#ttlSeconds
  }

  get expiresAt(): Date | null {
    return this.#expiresAt && new Date(this.#expiresAt)
  }

  /** Starts the time anew; 0 for never. */
  set(ttlSeconds: number): void {
    this.#ttlSeconds = ttlSeconds
    this.#timer.stop()
    this.#expiresAt = ttlSeconds === 0 ? null : new Date(Date.now() + ttlSeconds * 1000)
    if (ttlSeconds > 0) this.#timer.start(this.#nowMs() + ttlSeconds * 1000)
  }

  stop(): void {
    this.#timer.stop()
  }
}
