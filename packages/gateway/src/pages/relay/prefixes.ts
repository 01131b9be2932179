import { PREFIX_LENGTH } from '@rivulet/websocket/protocol'
import { lastSid } from 'rivulet/adapter'

/** Knows which hubs publish here, by the first 12 digits of the origins in their sids. */
export class Prefixes {
  readonly #own = new Set<string | undefined>()
  /** By prefix, the function that notifies its page of another connection of the same page. */
  readonly #held = new Map<string | undefined, () => void>()

  /** Notes that the service's hub publishes under the prefix of a frame. */
  noteOwn(frame: Uint8Array): void {
    const prefix = prefixOf(frame)
    if (prefix !== undefined) this.#own.add(prefix)
  }

  isOwn(prefix: string | undefined): boolean {
    return this.#own.has(prefix)
  }

  isHeld(prefix: string | undefined): boolean {
    return this.#held.has(prefix)
  }

  /** Gives a page its prefixes. `takenOver` is called when another connection of the same page has them. */
  hold(prefixes: readonly string[], takenOver: () => void): void {
    const older = new Set(prefixes.map((prefix) => this.#held.get(prefix)))
    for (const prefix of prefixes) this.#held.set(prefix, takenOver)
    for (const tell of older) tell?.()
  }

  /** The page is gone, unless another connection has its prefixes. */
  release(prefixes: readonly string[], takenOver: () => void): void {
    for (const prefix of prefixes) if (this.#held.get(prefix) === takenOver) this.#held.delete(prefix)
  }
}

/** Reads the prefix of a frame as the library writes it; `undefined` for another form. */
export function prefixOf(frame: Uint8Array): string | undefined {
  return lastSid(frame)?.origin.slice(0, PREFIX_LENGTH)
}
