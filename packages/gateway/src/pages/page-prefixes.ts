import { PREFIX_LENGTH, PREFIXES_PER_PAGE } from '@rivulet/websocket/protocol'
import type { Hello } from './hello.ts'

const LEAST_KEY_BYTES = 32
const encoder = new TextEncoder()

/**
 * Derives the prefixes of a page's sids from the secret that the page shows: HMAC-SHA-256 of hub and secret. A page can't
 * choose its prefixes, and can't have those of another page without that one's secret; nothing is to be remembered.
 */
export class PagePrefixes {
  /** For a session without a key: its prefixes belong to the page at this server only. */
  readonly #ownKey = crypto.getRandomValues(new Uint8Array(LEAST_KEY_BYTES))
  readonly #keys = new WeakMap<Uint8Array, Promise<CryptoKey>>()

  /** Rejects when the key is none. */
  async of(key: Uint8Array | undefined, { hub, secret }: Hello): Promise<readonly string[]> {
    // As JSON, so that no two different pairs give the same text.
    const text = encoder.encode(JSON.stringify([hub, secret]))
    const bytes = await crypto.subtle.sign('HMAC', await this.#imported(key ?? this.#ownKey), text)
    const digits = Array.from(new Uint8Array(bytes), (byte) => byte.toString(16).padStart(2, '0')).join('')
    return Array.from({ length: PREFIXES_PER_PAGE }, (_, nth) =>
      digits.slice(nth * PREFIX_LENGTH, (nth + 1) * PREFIX_LENGTH),
    )
  }

  async #imported(key: unknown): Promise<CryptoKey> {
    if (!(key instanceof Uint8Array) || key.length < LEAST_KEY_BYTES) {
      throw new Error(`The prefixKey of a session has ${LEAST_KEY_BYTES} bytes or more.`)
    }
    const known = this.#keys.get(key)
    if (known !== undefined) return known
    const usage = { name: 'HMAC', hash: 'SHA-256' }
    const imported = crypto.subtle.importKey('raw', new Uint8Array(key), usage, false, ['sign'])
    this.#keys.set(key, imported)
    return imported
  }
}
