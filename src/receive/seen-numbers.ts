const WORD_BITS = 32
const WORDS = 33 // 1 024 numbers back, and one word that is being filled

/** The farthest that a number may lie behind the highest and still be told apart from a repeat. */
export const WINDOW_SIZE = (WORDS - 1) * WORD_BITS

/** The farthest step ahead that is believed at once. */
export const MAX_JUMP = 65_536

/** Where a number stands: too `far` ahead, `ahead` of all, `behind` but new, `seen` before, or too `old` to tell. */
export type Place = 'far' | 'ahead' | 'behind' | 'seen' | 'old'

/**
 * Remembers which sequence numbers of one origin came, in constant memory: a bitmap that slides with the highest.
 * Source: RFC 6479, IPsec Anti-Replay Algorithm without Bit Shifting.
 */
export class SeenNumbers {
  /** 0 until the first number is marked, which may be any. */
  highest = 0
  readonly #words = new Uint32Array(WORDS)

  place(sequence: number): Place {
    if (this.highest > 0 && sequence - this.highest > MAX_JUMP) return 'far'
    if (sequence > this.highest) return 'ahead'
    if (this.highest - sequence >= WINDOW_SIZE) return 'old'
    return ((this.#words[indexOf(sequence)] as number) & bitOf(sequence)) === 0 ? 'behind' : 'seen'
  }

  /** Marks a number, of any place. */
  mark(sequence: number): void {
    if (sequence > this.highest) {
      const from = Math.floor(this.highest / WORD_BITS)
      const steps = Math.min(Math.floor(sequence / WORD_BITS) - from, WORDS)
      for (let step = 1; step <= steps; step++) this.#words[(from + step) % WORDS] = 0
      this.highest = sequence
    }
    ;(this.#words[indexOf(sequence)] as number) |= bitOf(sequence)
  }
}

// Numbers go up to 2⁵³−1, beyond what shifts can take.
function indexOf(sequence: number): number {
  return Math.floor(sequence / WORD_BITS) % WORDS
}

function bitOf(sequence: number): number {
  return 1 << (sequence % WORD_BITS)
}
