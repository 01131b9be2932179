const encoder = new TextEncoder()
// One decoder for every transport, so that all judge alike: it refuses what is not UTF-8 and keeps a BOM, which
// JSON.parse then refuses. Client libraries differ here: some replace, some strip.
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Encodes a string as UTF-8. */
export function encodeUtf8(text: string): Uint8Array {
  return encoder.encode(text)
}

const SLAB_BYTES = 16_384

/** Encodes many short strings one after the other into shared memory: a piece of its own costs each of them more. */
export class Utf8Writer {
  /** What is left of the memory that is being filled. Never written twice: what was encoded stays as it is. */
  #free = new Uint8Array(0)

  encode(text: string): Uint8Array {
    const mostBytes = 3 * text.length
    if (mostBytes > SLAB_BYTES / 4) return encoder.encode(text)
    if (mostBytes > this.#free.length) this.#free = new Uint8Array(SLAB_BYTES)
    const { written } = encoder.encodeInto(text, this.#free)
    const bytes = this.#free.subarray(0, written)
    this.#free = this.#free.subarray(written)
    return bytes
  }
}

/** Counts the bytes of JSON as UTF-8. Throws where there is none, since `Object.prototype` has got a `toJSON`. */
export function jsonLength(json: string | undefined): number {
  if (json === undefined) throw new TypeError('There is no JSON of it.')
  return encoder.encode(json).length
}

/** Decodes UTF-8; throws a `TypeError` on bytes that are not. */
export function decodeUtf8(bytes: Uint8Array): string {
  return decoder.decode(bytes)
}
