/** A barrier upstream that is not answered within this has failed. */
const BARRIER_TIMEOUT_MS = 2_000
/** Barriers upstream at a time. With one alone a page would wait for two where upstream is slow. */
const MAX_OVERLAPPING = 3

/** Answers the barriers of many pages by few barriers upstream: those that come in one tick, or while all run, share one. */
export class Barriers {
  readonly #flush: (signal: AbortSignal) => Promise<void>
  #waiting: (() => void)[] = []
  readonly #running = new Set<AbortController>()

  constructor(flush: (signal: AbortSignal) => Promise<void>) {
    this.#flush = flush
  }

  /** Calls `answer` when upstream has everything that was sent before this call. If upstream fails it is not called. */
  ask(answer: () => void): void {
    this.#waiting.push(answer)
    // The first one starts a run, which takes those that come until it flushes.
    if (this.#waiting.length === 1) this.#next()
  }

  /** The connection is gone: nothing that was asked is answered. */
  stop(): void {
    this.#waiting = []
    for (const running of this.#running) running.abort(new Error('the connection upstream is gone'))
    this.#running.clear()
  }

  #next(): void {
    if (this.#waiting.length > 0 && this.#running.size < MAX_OVERLAPPING) void this.#run()
  }

  async #run(): Promise<void> {
    const running = new AbortController()
    this.#running.add(running)
    await undefined // so that barriers of one tick share a flush
    if (running.signal.aborted) return
    const answers = this.#waiting
    this.#waiting = []
    if (answers.length > 0) await this.#answerAll(answers, running)
    // Unless it was stopped: then what waits now belongs to another connection.
    if (this.#running.delete(running)) this.#next()
  }

  async #answerAll(answers: readonly (() => void)[], running: AbortController): Promise<void> {
    const overdue = () => running.abort(new Error('the barrier was not answered in time'))
    const timer = setTimeout(overdue, BARRIER_TIMEOUT_MS)
    try {
      await this.#flush(running.signal)
      if (!running.signal.aborted) for (const answer of answers) answer()
    } catch {
      // The page has its own deadline and counts the messages as unconfirmed.
    }
    clearTimeout(timer)
  }
}
