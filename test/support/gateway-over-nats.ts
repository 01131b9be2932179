import { createGateway, relay, serve } from '@rivulet/gateway'
import { loadTransport } from 'rivulet'
import { onTestFinished, vi } from 'vitest'
import { WebSocket } from 'ws'
import { startNats } from './brokers.ts'
import { ending, makeLive } from './live.ts'

/**
 * Serves hubs of these names over a NATS server to pages, until the test ends, and gives the URL for them. Node 20 has no
 * WebSocket of its own, so that of a package stands for it meanwhile.
 */
export async function startGateway(...names: readonly string[]): Promise<string> {
  const broker = await ending(startNats())
  vi.stubGlobal('WebSocket', WebSocket)
  onTestFinished(() => void vi.unstubAllGlobals())
  const services = await Promise.all(
    names.map(async (name, index) => {
      const carried = relay(await loadTransport(broker.url))
      return {
        sid: `IS${String(index).repeat(32)}`,
        relay: carried,
        hub: makeLive({ name, transport: carried }),
      }
    }),
  )
  const gateway = createGateway({
    services: Object.fromEntries(services.map(({ sid, hub }) => [sid, hub])),
    relays: Object.fromEntries(services.map(({ sid, relay }) => [sid, relay])),
    open: true,
  })
  const server = await serve(gateway, { port: 0 })
  onTestFinished(() => server.close({ timeoutMs: 500 }))
  return `${server.url.replace('http', 'ws')}${gateway.pagePath}`
}
