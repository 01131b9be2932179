import type { PlatformSignal } from '../base/platform-signal.ts'

/** Ends all waits for a backend when its connection ends: the client may never settle them. */
export class Ending {
  readonly #waits = new Set<(cause: unknown) => void>()

  /**
   * Begins work and settles like it, or rejects when the signal aborts or the connection ends, with the reason. Leaves no
   * listener behind. The work begins even if the signal has aborted already.
   */
  async race<Result>(begin: () => Promise<Result>, signal: PlatformSignal): Promise<Result> {
    let fail = (_cause: unknown) => {}
    const failed = new Promise<never>((_resolve, reject) => {
      fail = reject
    })
    // Without a handler when the work throws at once.
    failed.catch(() => {})
    const abort = () => fail(signal.reason)
    if (signal.aborted) abort()
    signal.addEventListener('abort', abort)
    this.#waits.add(fail)
    try {
      return await Promise.race([begin(), failed])
    } finally {
      signal.removeEventListener('abort', abort)
      this.#waits.delete(fail)
    }
  }

  /** Rejects all waits, in the order in which they began. */
  end(cause: unknown): void {
    for (const fail of this.#waits) fail(cause)
  }
}
