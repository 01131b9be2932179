import { RivuletError } from 'rivulet'

/** The part of a `BroadcastChannel` that a transport uses. */
export interface Channel {
  /**
   * Adds a listener. `message` carries a post of another channel as `data`; `messageerror` reports a post that could
   * not be deserialized. `close` reports that the channel ended by itself: a `BroadcastChannel` never does, a replacement
   * may.
   */
  addEventListener(
    type: 'message' | 'messageerror' | 'close',
    listener: (event: { readonly data?: unknown }) => void,
  ): void
  /** Posts a copy of a value to every other channel of the name. Throws when the channel is closed. */
  postMessage(value: unknown): void
  /** Ends the channel. May be called again. */
  close(): void
  /** Lets the process end while the channel is open, where the runtime has this method. */
  unref?(): void
}

/** Opens the runtime's own channel. */
export function makeBroadcastChannel(name: string): Channel {
  if (typeof BroadcastChannel === 'function') return new BroadcastChannel(name)
  const advice = 'use a runtime that has it, or pass makeChannel'
  throw new RivuletError('TRANSPORT_FAILED', `This runtime has no BroadcastChannel; ${advice}.`)
}
