/** Says how many messages may be published now. */
export interface Flow {
  /** Tells how many more may be published, when `published` were. */
  room(published: number): number
  /** Resolves when there may be room again. */
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

  room(published: number): number {
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
 * Lets at most a window of messages be on their way to the slowest receiver. When none comes for five seconds, those on
 * their way are taken for lost, and it goes on.
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

  /** Notes how far a receiver has come. */
  acknowledge(receiver: string, count: number): void {
    this.#received.set(receiver, count)
    this.#wake()
  }

  room(published: number): number {
    return Math.max(this.#released, Math.min(...this.#received.values())) + this.#window - published
  }

  wait(published: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.#released = published
        resolve()
      }, STALL_MS)
      this.#wake = () => {
        if (this.room(published) <= 0) return
        clearTimeout(timer)
        resolve()
      }
    })
  }
}

/** Lets every message through: the rate is what limits them. */
export const FREE_FLOW: Flow = { room: () => Infinity, wait: async () => {} }
