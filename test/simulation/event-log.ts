/** One thing that happened. */
export interface Entry {
  readonly atMs: number
  /** Whose it was, by number; −1 for the network. */
  readonly site: number
  readonly text: string
}

const KEPT = 4_000

/** Notes all that happens, folds it into a hash, and keeps the last of it. */
export class EventLog {
  readonly #keeps: boolean
  #entries: Entry[] = []
  #low = 0x811c9dc5
  #high = 0x01000193
  #count = 0

  /** Without `keeps` only the hash is made. */
  constructor(keeps: boolean) {
    this.#keeps = keeps
  }

  add(atMs: number, site: number, text: string): void {
    this.#count++
    this.#fold(`${atMs}|${site}|${text}`)
    if (!this.#keeps) return
    this.#entries.push({ atMs, site, text })
    if (this.#entries.length >= 2 * KEPT) this.#entries = this.#entries.slice(-KEPT)
  }

  get count(): number {
    return this.#count
  }

  get entries(): readonly Entry[] {
    return this.#entries.slice(-KEPT)
  }

  /** Everything so far in 16 hex digits. Two FNV-1a hashes side by side, one with the characters turned around. */
  get hash(): string {
    return [this.#low, this.#high].map((word) => (word >>> 0).toString(16).padStart(8, '0')).join('')
  }

  #fold(text: string): void {
    let low = this.#low
    let high = this.#high
    for (let index = 0; index < text.length; index++) {
      const code = text.charCodeAt(index)
      low = Math.imul(low ^ code, 0x01000193)
      high = Math.imul(high ^ (code + index), 0x5bd1e995)
    }
    this.#low = low
    this.#high = high ^ (high >>> 13)
  }
}
