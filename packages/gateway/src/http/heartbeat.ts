import type { SseListener } from './sse-listener.ts'

/** Beats for all listeners at once, while there are any, and ends those whose client has long taken nothing. */
export class Heartbeat {
  readonly #intervalMs: number
  readonly #beatsUntilStalled: number
  readonly #listeners = new Set<SseListener>()
  #timer: ReturnType<typeof setTimeout> | undefined

  constructor(intervalMs: number, stallMs: number) {
    this.#intervalMs = intervalMs
    this.#beatsUntilStalled = Math.max(1, Math.ceil(stallMs / intervalMs))
  }

  add(listener: SseListener): void {
    this.#listeners.add(listener)
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
    for (const listener of this.#listeners) {
      if (listener.beat() >= this.#beatsUntilStalled) listener.abort()
    }
  }
}
