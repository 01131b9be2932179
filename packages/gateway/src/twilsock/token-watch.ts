/** What is to be done as the end of a token comes near. */
export interface TokenEvents {
  soon(leftMs: number): void
  over(): void
}

// Three minutes before a token's `exp`, as Twilio's documents say, and the minute that clocks may differ by.
const NOTICE_MS = 240_000

/** Waits for the end of one token after another. */
export class TokenWatch {
  readonly #events: TokenEvents
  #timer: ReturnType<typeof setTimeout> | undefined

  constructor(events: TokenEvents) {
    this.#events = events
  }

  /** Waits for the end of a token in place of the last one. One that ends sooner than notice is given is told of at once. */
  watch(expiresMs: number | undefined): void {
    this.stop()
    if (expiresMs === undefined) return
    this.#timer = setTimeout(
      () => {
        this.#timer = setTimeout(() => this.#events.over(), Math.max(expiresMs - Date.now(), 0))
        this.#events.soon(NOTICE_MS)
      },
      Math.max(expiresMs - NOTICE_MS - Date.now(), 0),
    )
  }

  stop(): void {
    clearTimeout(this.#timer)
  }
}
