/** A barrier upstream that is not answered within this has failed. */
const BARRIER_TIMEOUT_MS = 2_000

/** Answers the barriers of many pages by few barriers upstream: one at a time, and those that come meanwhile wait. */
export class Barriers {
  readonly #flush: (signal: AbortSignal) => Promise<void>
  #waiting: (() => void)[] = []
  #running: AbortController | undefined

  constructor(flush: (signal: AbortSignal) => Promise<void>) {
    this.#flush = flush
  }

  /** Calls `answer` when upstream has everything that was sent before this call. If upstream fails it is not called. */
  ask(answer: () => void): void {
    this.#waiting.push(answer)
    if (this.#running === undefined) void this.#run()
  }

  /** The connection is gone: nothing that was asked is answered. */
  stop(): void {
    this.#waiting = []
    this.#running?.abort(new Error('the connection upstream is gone'))
    this.#running = undefined
  }

  async #run(): Promise<void> {
    while (this.#waiting.length > 0) {
      const running = new AbortController()
      this.#running = running
      await undefined // so that barriers of one tick share a flush
      const answers = this.#waiting
      this.#waiting = []
      const overdue = () => running.abort(new Error('the barrier was not answered in time'))
      const timer = setTimeout(overdue, BARRIER_TIMEOUT_MS)
      try {
        await this.#flush(running.signal)
        if (!running.signal.aborted) for (const answer of answers) answer()
      } catch {
        // The page has its own deadline and counts the messages as unconfirmed.
      }
      clearTimeout(timer)
      if (this.#running !== running) return // stopped; another run may have begun
    }
    this.#running = undefined
  }
}
