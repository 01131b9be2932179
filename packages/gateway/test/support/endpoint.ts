import { createHub, type Hub, type Transport } from 'rivulet'
import { type Relay, relay, servePages } from '../../src/relay.ts'
import { PageServer } from './page-server.ts'
import { openSession } from './sessions.ts'

/** A server of pages that may everything, each with an identity of its own. */
export interface Endpoint {
  readonly url: string
  close(): Promise<void>
}

/** Starts a server of pages, which opens a hub of its own on a relay for each name that a page's hub has. */
export async function startEndpoint(makeUpstream: () => Transport | undefined): Promise<Endpoint> {
  const hubs = new Map<string, { readonly relay: Relay; readonly hub: Hub }>()
  const relayOf = (name: string): Relay => {
    const known = hubs.get(name)
    if (known !== undefined) return known.relay
    const made = relay(makeUpstream())
    hubs.set(name, { relay: made, hub: createHub({ transport: made, name }) })
    return made
  }
  let pages = 0
  const served = servePages({
    authenticate: async ({ hub }) => openSession(relayOf(hub), `page ${++pages}`),
    // Its pages may what the services' streams may.
    ratePerSecond: 10_000,
    burst: 10_000,
    maxMessagesPerSecond: 10_000,
    maxBytes: 65_536,
  })
  const server = new PageServer(served)
  await server.start()
  return {
    url: server.url,
    close: async () => {
      await server.close()
      await Promise.all([...hubs.values()].map(({ hub }) => hub.close()))
    },
  }
}
