/** The functions that a token's end calls. */
export interface TokenEvents {
  /** Called once at the token's end. */
  ended(): void
  /** Called `noticeMs` before the end, or at once when less is left. */
  endsSoon?(noticeMs: number): void
}

/** Waits for the end of one token after another. */
export class TokenEnd {
  readonly #events: TokenEvents
  readonly #noticeMs: number
  #timer: ReturnType<typeof setTimeout> | undefined

  constructor(events: TokenEvents, noticeMs = 0) {
    this.#events = events
    this.#noticeMs = noticeMs
  }

  /** Waits for the end of a token in place of the last one; `undefined` is a token without an end. */
  watch(expiresMs: number | undefined): void {
    this.stop()
    if (expiresMs === undefined) return
    if (this.#events.endsSoon === undefined) return this.#waitForEnd(expiresMs)
    const notify = () => {
      this.#waitForEnd(expiresMs)
      this.#events.endsSoon?.(this.#noticeMs)
    }
    this.#timer = setTimeout(notify, Math.max(expiresMs - this.#noticeMs - Date.now(), 0))
  }

  /** Waits no more. */
  stop(): void {
    clearTimeout(this.#timer)
  }

  #waitForEnd(expiresMs: number): void {
    this.#timer = setTimeout(() => this.#events.ended(), Math.max(expiresMs - Date.now(), 0))
  }
}
