import { DEFAULT_TIMEOUTS } from 'rivulet/transport'

/** So many barriers that fail one after the other mean that the connection upstream is dead. */
const FAILURES_TO_DOWN = 2
/**
 * Barriers whose starts are nearer than this part of their time fail together, and count as one. A page asks the next
 * when its own time for one is over, which may be a moment before the time of the relay is.
 */
const OVERLAP_PART = 0.9
/** Barriers upstream at a time. With one alone a page would wait for two where upstream is slow. */
const MAX_OVERLAPPING = 3

/** Answers the barriers of many pages by few barriers upstream: those that come in one tick, or while all run, share one. */
export class Barriers {
  /** How long a barrier upstream has for its answer. */
  timeoutMs = DEFAULT_TIMEOUTS.barrierMs
  readonly #flush: (signal: AbortSignal) => Promise<void>
  readonly #dead: (cause: Error) => void
  #failures = 0
  /** When the last barrier that counts as failed had begun. */
  #failedStartMs = -Infinity
  #waiting: (() => void)[] = []
  readonly #running = new Set<AbortController>()

  /** `dead` is called when upstream answers no more: nobody else asks while only pages publish. */
  constructor(flush: (signal: AbortSignal) => Promise<void>, dead: (cause: Error) => void) {
    this.#flush = flush
    this.#dead = dead
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
    this.#succeed()
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
    const startMs = performance.now()
    const overdue = () => {
      const cause = new Error('the barrier was not answered in time')
      running.abort(cause)
      if (startMs - this.#failedStartMs < OVERLAP_PART * this.timeoutMs) return
      this.#failedStartMs = startMs
      if (++this.#failures === FAILURES_TO_DOWN) this.#dead(cause)
    }
    const timer = setTimeout(overdue, this.timeoutMs)
    try {
      await this.#flush(running.signal)
      if (!running.signal.aborted) {
        this.#succeed()
        for (const answer of answers) answer()
      }
    } catch {
      // The page has its own deadline and counts the messages as unconfirmed.
    }
    clearTimeout(timer)
  }

  #succeed(): void {
    this.#failures = 0
    this.#failedStartMs = -Infinity
  }
}
