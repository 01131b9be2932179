/**
 * A message after so long a silence was held back on the path, and may be as old: a receiver that does not know the page
 * cannot notice. The default of `maxAgeMs` is as long.
 */
const HELD_BACK_MS = 5_000

/** Keeps the time of the last message of a page, and whether what it sends may have been held back on the way. */
export class Hearing {
  #heardAtMs = performance.now()
  #pings = 0
  #pongs = 0
  /** Messages before this pong may be old: it answers a ping that was sent after the silence. */
  #freshFromPong = 0

  /** Whether what comes now may have been held back. */
  get isDoubtful(): boolean {
    return this.#pongs < this.#freshFromPong
  }

  /** Returns for how long nothing has come. */
  silentMs(nowMs: number): number {
    return nowMs - this.#heardAtMs
  }

  /** The page was heard. Returns whether that was after a long silence: then a ping is due, whose answer ends the doubt. */
  heard(nowMs: number): boolean {
    const wasLong = this.silentMs(nowMs) >= HELD_BACK_MS
    this.#heardAtMs = nowMs
    if (wasLong) this.#freshFromPong = this.#pings + 1
    return wasLong
  }

  /** The page was sent a ping. */
  pinged(): void {
    this.#pings++
  }

  /** The page answered a ping. */
  ponged(): undefined {
    this.#pongs++
  }
}
