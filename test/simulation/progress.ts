import { SingleBar } from 'cli-progress'

const LINE_EVERY_MS = 60_000

/** Shows how far a long run is: a bar in a terminal, else a line every minute. */
export class Progress {
  readonly #startMs = performance.now()
  readonly #total: number
  readonly #bar: SingleBar | undefined
  #lastLineMs = this.#startMs

  constructor(total: number) {
    this.#total = total
    if (!process.stderr.isTTY) return
    this.#bar = new SingleBar({ format: '{bar} {text}' })
    this.#bar.start(total, 0, { text: '' })
  }

  show(seeds: number, virtualMs: number): void {
    const nowMs = performance.now()
    const tookMs = nowMs - this.#startMs
    const leftMs = (tookMs / seeds) * (this.#total - seeds)
    const rate = rateText(virtualMs, tookMs)
    const text = `${seeds} of ${this.#total} seeds, ${rate}, ${durationText(leftMs)} to go`
    if (this.#bar !== undefined) this.#bar.update(seeds, { text })
    else if (nowMs - this.#lastLineMs >= LINE_EVERY_MS) {
      this.#lastLineMs = nowMs
      console.error(text)
    }
  }

  end(): void {
    this.#bar?.stop()
  }
}

/** Tells how much virtual time passed, and how fast. */
export function rateText(virtualMs: number, tookMs: number): string {
  const hours = virtualMs / 3_600_000
  return `${hours.toFixed(1)} simulated hours, ${Math.round((hours / tookMs) * 3_600_000)} an hour`
}

function durationText(ms: number): string {
  const minutes = Math.ceil(ms / 60_000)
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`
}
