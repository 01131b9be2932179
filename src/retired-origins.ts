// Below this many old ones tidying costs more than it saves.
const FEW = 64

/** Remembers the origins of streams closed lately: their frames may still come back from the broker. */
export class RetiredOrigins {
  readonly #nowMs: () => number
  readonly #untilMs = new Map<string, number>()
  /** Old ones are forgotten when there are so many: at least half of them came since the last time. */
  #tidyAt = FEW

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs
  }

  get size(): number {
    return this.#untilMs.size
  }

  /** Remembers an origin for as long as its frames may be delivered at all; a minute when they never grow old. */
  add(origin: string, maxAgeMs: number | false): void {
    if (this.#untilMs.size >= this.#tidyAt) this.#forgetOld()
    this.#untilMs.set(origin, this.#nowMs() + (maxAgeMs === false ? 60_000 : maxAgeMs))
  }

  has(origin: string): boolean {
    if (this.#untilMs.size === 0) return false
    return (this.#untilMs.get(origin) ?? Number.NEGATIVE_INFINITY) > this.#nowMs()
  }

  #forgetOld(): void {
    const nowMs = this.#nowMs()
    for (const [origin, untilMs] of this.#untilMs) {
      if (untilMs <= nowMs) this.#untilMs.delete(origin)
    }
    this.#tidyAt = Math.max(FEW, 2 * this.#untilMs.size)
  }
}
