const WORD_BITS = 32
const WORDS = 33 // 1 024 numbers back, and one partial word

/** The farthest distance behind the highest number at which a repeat is still recognized. */
export const WINDOW_SIZE = (WORDS - 1) * WORD_BITS

/** The farthest step ahead that is accepted at once. */
export const MAX_JUMP = 65_536

/** The place of a number: too `far` ahead, `ahead` of all, `behind` but new, `seen` before, or too `old` to decide. */
export type Place = 'far' | 'ahead' | 'behind' | 'seen' | 'old'

/**
 * Remembers the received sequence numbers of one publisher, in constant memory: a bitmap that slides with the highest.
 * While the numbers come one after the other, as most do, the first and the highest represent all between them, without
 * a bitmap: that would double the memory of a publisher.
 *
 * Source of the bitmap: RFC 6479, IPsec Anti-Replay Algorithm without Bit Shifting.
 */
export class SeenNumbers {
  /** 0 until the first number is marked, which may be any. */
  highest = 0
  /** Without a bitmap: all numbers from this one to the highest were received, and none before it. */
  #first = 0
  #words: Uint32Array | undefined

  place(sequence: number): Place {
    if (this.highest > 0 && sequence - this.highest > MAX_JUMP) return 'far'
    if (sequence > this.highest) return 'ahead'
    if (this.highest - sequence >= WINDOW_SIZE) return 'old'
    return this.#has(sequence) ? 'seen' : 'behind'
  }

  /** Marks a number, of any place. */
  mark(sequence: number): void {
    if (this.#words !== undefined) return markIn(this.#words, sequence, this)
    if (this.highest === 0) {
      this.#first = sequence
      this.highest = sequence
    } else if (sequence === this.highest + 1) this.highest = sequence
    else if (!this.#has(sequence)) {
      this.#words = this.#bitmap()
      markIn(this.#words, sequence, this)
    }
  }

  /** Keeps the highest number alone: all numbers below it count as seen from now on, and the bitmap is freed. */
  shrink(): void {
    this.#first = 0
    this.#words = undefined
  }

  #has(sequence: number): boolean {
    if (this.#words === undefined) return sequence >= this.#first && sequence <= this.highest
    return ((this.#words[indexOf(sequence)] as number) & bitOf(sequence)) !== 0
  }

  #bitmap(): Uint32Array {
    const words = new Uint32Array(WORDS)
    const { highest } = this
    for (let seen = Math.max(this.#first, highest - WINDOW_SIZE + 1); seen <= highest; seen++) {
      ;(words[indexOf(seen)] as number) |= bitOf(seen)
    }
    return words
  }
}

/** Marks a number in a bitmap, which slides when the number is the highest. */
function markIn(words: Uint32Array, sequence: number, numbers: { highest: number }): void {
  if (sequence > numbers.highest) {
    const from = Math.floor(numbers.highest / WORD_BITS)
    const steps = Math.min(Math.floor(sequence / WORD_BITS) - from, WORDS)
    for (let step = 1; step <= steps; step++) words[(from + step) % WORDS] = 0
    numbers.highest = sequence
  }
  ;(words[indexOf(sequence)] as number) |= bitOf(sequence)
}

// Numbers go up to 2⁵³−1, beyond what shifts can take.
function indexOf(sequence: number): number {
  return Math.floor(sequence / WORD_BITS) % WORDS
}

function bitOf(sequence: number): number {
  return 1 << (sequence % WORD_BITS)
}
