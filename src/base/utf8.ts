const encoder = new TextEncoder()
// One decoder for every transport, so that all decide alike: it refuses bytes that are not UTF-8 and keeps a BOM, which
// JSON.parse then refuses. Client libraries differ: some replace such bytes, some strip a BOM.
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Encodes a string as UTF-8. */
export function encodeUtf8(text: string): Uint8Array {
  return encoder.encode(text)
}

const SLAB_BYTES = 16_384

/** Encodes many short strings one after the other into shared memory, which costs less than an allocation for each. */
export class Utf8Writer {
  /** The free rest of the current memory. Never written twice: encoded bytes stay as they are. */
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

/** Counts the bytes of JSON as UTF-8. Throws when `undefined`, as with a `toJSON` on `Object.prototype`. */
export function jsonLength(json: string | undefined): number {
  if (json === undefined) throw new TypeError('There is no JSON of it.')
  return encoder.encode(json).length
}

/** Decodes UTF-8; throws a `TypeError` on bytes that are not. */
export function decodeUtf8(bytes: Uint8Array): string {
  return decoder.decode(bytes)
}
