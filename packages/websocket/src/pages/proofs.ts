const encoder = new TextEncoder()

/**
 * Signs and checks proofs that a prefix is bound to whoever shows them: HMAC-SHA-256 of the hub and the prefix. Only the
 * page that binds a prefix is told its proof, so it holds where the page comes back under another identity, too.
 */
export class Proofs {
  /** Signs where a session has no secret: such proofs are good at this server only. */
  readonly #ownSecret = crypto.getRandomValues(new Uint8Array(32))
  readonly #keys = new WeakMap<Uint8Array, Promise<CryptoKey>>()

  /** Returns the proof, as hex digits. */
  async sign(secret: Uint8Array | undefined, hub: string, prefix: string): Promise<string> {
    const key = await this.#keyOf(secret ?? this.#ownSecret)
    // As JSON, so that no two different pairs give the same text.
    const text = encoder.encode(JSON.stringify([hub, prefix]))
    const bytes = new Uint8Array(await crypto.subtle.sign('HMAC', key, text))
    return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
  }

  /** Tells whether a proof is good. */
  async isGood(secret: Uint8Array | undefined, hub: string, prefix: string, proof: string): Promise<boolean> {
    const expected = await this.sign(secret, hub, prefix)
    let difference = expected.length ^ proof.length
    // Every digit is compared, so that the time says nothing.
    for (let at = 0; at < expected.length; at++) difference |= expected.charCodeAt(at) ^ proof.charCodeAt(at)
    return difference === 0
  }

  #keyOf(secret: Uint8Array): Promise<CryptoKey> {
    const known = this.#keys.get(secret)
    if (known !== undefined) return known
    const usage = { name: 'HMAC', hash: 'SHA-256' }
    const key = crypto.subtle.importKey('raw', new Uint8Array(secret), usage, false, ['sign'])
    this.#keys.set(secret, key)
    return key
  }
}
