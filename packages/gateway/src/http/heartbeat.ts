import type { SseListener } from './sse-listener.ts'

/** Beats for all listeners at once, while there are any, and drops those whose client has long taken nothing. */
export class Heartbeat {
  readonly #intervalMs: number
  readonly #beatsUntilStalled: number
  /** With what else it takes to end the connection. */
  readonly #listeners = new Map<SseListener, (() => void) | undefined>()
  #timer: ReturnType<typeof setTimeout> | undefined

  constructor(intervalMs: number, stallMs: number) {
    this.#intervalMs = intervalMs
    this.#beatsUntilStalled = Math.max(1, Math.ceil(stallMs / intervalMs))
  }

  /** Watches over a listener. `destroy` ends its connection, where the server lets one. */
  add(listener: SseListener, destroy?: () => void): void {
    this.#listeners.set(listener, destroy)
    this.#timer ??= setTimeout(() => this.#beat(), this.#intervalMs)
  }

  delete(listener: SseListener): void {
    this.#listeners.delete(listener)
    if (this.#listeners.size > 0) return
    clearTimeout(this.#timer)
    this.#timer = undefined
  }

  #beat(): void {
    this.#timer = setTimeout(() => this.#beat(), this.#intervalMs)
    for (const [listener, destroy] of this.#listeners) {
      if (listener.beat() < this.#beatsUntilStalled) continue
      listener.abort()
      destroy?.()
    }
  }
}
