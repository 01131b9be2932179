const SLAB_BYTES = 65_536
const LARGEST_IN_SLAB = 4096

/**
 * Copies bytes into memory of the bus. Small copies share a piece of memory, each a view of its own part: an array
 * with a buffer of its own costs about twenty times as much.
 */
export class Slab {
  #bytes = new Uint8Array(0)
  #used = 0

  copy(bytes: Uint8Array): Uint8Array {
    // Not `slice`: a Node Buffer's shares the memory of the original.
    if (bytes.length > LARGEST_IN_SLAB) return new Uint8Array(bytes)
    if (this.#used + bytes.length > this.#bytes.length) {
      this.#bytes = new Uint8Array(SLAB_BYTES)
      this.#used = 0
    }
    const copy = this.#bytes.subarray(this.#used, this.#used + bytes.length)
    copy.set(bytes)
    this.#used += bytes.length
    return copy
  }
}
