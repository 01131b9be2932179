/** Limits the number of messages to publish now. */
export interface Flow {
  /** Returns how many more messages may be published after `published`. */
  capacity(published: number): number
  /** Resolves when there may be capacity again. */
  wait(published: number): Promise<void>
}

const STALL_MS = 5000

/** Lets at most a window of messages be unconfirmed. */
export class ConfirmedFlow implements Flow {
  readonly #window: number
  readonly #flush: () => Promise<void>
  #confirmed = 0
  #barrier: Promise<void> | undefined

  constructor(window: number, flush: () => Promise<void>) {
    this.#window = window
    this.#flush = flush
  }

  capacity(published: number): number {
    return this.#confirmed + this.#window - published
  }

  wait(published: number): Promise<void> {
    this.#barrier ??= this.#flush().finally(() => {
      this.#confirmed = published
      this.#barrier = undefined
    })
    return this.#barrier
  }
}

/**
 * Lets at most a window of messages be in flight to the slowest receiver. When none arrives for five seconds, those in
 * flight count as lost, and publishing continues.
 */
export class ReceivedFlow implements Flow {
  readonly #window: number
  readonly #received = new Map<string, number>()
  #released = 0
  #wake = () => {}

  constructor(window: number, receivers: readonly string[]) {
    this.#window = window
    for (const receiver of receivers) this.#received.set(receiver, 0)
  }

  /** Records a receiver's count of messages. */
  acknowledge(receiver: string, count: number): void {
    this.#received.set(receiver, count)
    this.#wake()
  }

  capacity(published: number): number {
    return Math.max(this.#released, Math.min(...this.#received.values())) + this.#window - published
  }

  wait(published: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.#released = published
        resolve()
      }, STALL_MS)
      this.#wake = () => {
        if (this.capacity(published) <= 0) return
        clearTimeout(timer)
        resolve()
      }
    })
  }
}

/** Lets every message through: the rate limits them. */
export const FREE_FLOW: Flow = { capacity: () => Infinity, wait: async () => {} }
