import type { PageSession, Relay } from '../../src/relay.ts'
import { PREFIX_KEY } from './frames.ts'

/** A session of a process that is trusted like one on the broker itself. */
export function trustedSession(relay: Relay): PageSession {
  return { ...openSession(relay, 'trusted'), isTrusted: true }
}

/** A session of a page that may everything, and is checked. */
export function openSession(relay: Relay, identity: string): PageSession {
  return { relay, identity, may: () => true, expiresMs: undefined, prefixKey: PREFIX_KEY }
}
