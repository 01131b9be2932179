import { lastSid } from 'rivulet/transport'
import { PREFIX_LENGTH } from '../base/protocol.ts'

/** So many prefixes are remembered of each kind: 100 bytes each. */
const MAX_REMEMBERED = 65_536

/** Who publishes under a prefix now. */
export interface PrefixHolder {
  /** The identity that published under the prefix; the same one, or a holder with a proof, may take it over. */
  readonly identity: string
  /** Another connection has taken the prefix over. */
  takenOver(): void
}

/** Knows which hub made which sids: each hub puts 12 digits of its own at the beginning. */
export class Prefixes {
  readonly #own = new Set<string>()
  readonly #held = new Map<string, PrefixHolder>()
  /** By prefix, the identity of a holder that is gone. */
  readonly #gone = new Map<string, string>()
  readonly #heard = new Map<string, true>()

  /** Notes that the service's hub publishes under the prefix of a frame. */
  noteOwn(frame: Uint8Array): void {
    const prefix = prefixOf(frame)
    if (prefix !== undefined) this.#own.add(prefix)
  }

  isOwn(prefix: string): boolean {
    return this.#own.has(prefix)
  }

  isHeld(prefix: string): boolean {
    return this.#held.has(prefix)
  }

  /** Notes that a prefix came from upstream: it belongs to somebody there, or is an echo of a page that has gone. */
  noteHeard(prefix: string): void {
    if (!this.#gone.has(prefix)) remember(this.#heard, prefix, true)
  }

  /**
   * Binds a prefix to a holder, who may have proved that it is its own. Returns why that cannot be, or `undefined`
   * when it is bound.
   */
  bind(prefix: string, holder: PrefixHolder, isProven: boolean): string | undefined {
    if (this.#own.has(prefix)) return 'the prefix of the sid belongs to the service'
    const held = this.#held.get(prefix)
    const identity = held?.identity ?? this.#gone.get(prefix)
    if (identity !== undefined && identity !== holder.identity && !isProven) {
      return 'the prefix of the sid belongs to another page'
    }
    if (identity === undefined && this.#heard.has(prefix) && !isProven) {
      return 'the prefix of the sid belongs to a publisher elsewhere'
    }
    this.#gone.delete(prefix)
    this.#held.set(prefix, holder)
    if (held !== undefined && held !== holder) held.takenOver()
    return undefined
  }

  /** Releases a prefix and remembers the identity of its holder. */
  release(prefix: string, holder: PrefixHolder): void {
    if (this.#held.get(prefix) !== holder) return
    this.#held.delete(prefix)
    remember(this.#gone, prefix, holder.identity)
  }
}

/** Reads the prefix of a frame as the library writes it; `undefined` for another form. */
export function prefixOf(frame: Uint8Array): string | undefined {
  return lastSid(frame)?.origin.slice(0, PREFIX_LENGTH)
}

/** Adds to a map that forgets its oldest entry when it is full. */
function remember<Value>(map: Map<string, Value>, key: string, value: Value): void {
  map.delete(key)
  map.set(key, value)
  const [oldest] = map.size > MAX_REMEMBERED ? map.keys() : []
  if (oldest !== undefined) map.delete(oldest)
}
