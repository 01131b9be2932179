import type { Transport } from 'rivulet'

/** Carries frames between a hub, the pages that `servePages` lets in, and the transport upstream. */
export interface Relay extends Transport {}

/** Makes a relay over a transport, or over none. Given to `createHub` as its transport. */
export function relay(upstream?: Transport): Relay {
  throw new Error(`not yet: ${upstream?.name}`)
}
