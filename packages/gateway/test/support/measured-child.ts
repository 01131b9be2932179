import { createGateway, relay, serve } from '@rivulet/twilio'
import { createHub } from 'rivulet'

/** What the parent tells this process to do. */
export type Order =
  | { readonly do: 'publish'; readonly stream: string; readonly times: number; readonly bytes: number }
  | { readonly do: 'measure' }

/** What this process has measured since it started. */
export interface Measures {
  readonly peakMiB: number
  readonly answered: number
  readonly listeners: number
  readonly sent: number
  readonly dropped: number
  readonly pages: number
}

// Serves a gateway and measures itself. Its options come as JSON: { service, keys, options, serving }.
const { service, keys, options, serving } = JSON.parse(process.argv[2] ?? '{}')
const carried = relay()
const hub = createHub({ transport: carried, streamDefaults: { limit: false, maxBytes: 65_536 } })
let answered = 0
const log = { debug: () => answered++, info() {}, warn() {}, error() {} }
const gateway = createGateway({
  services: { [service]: hub },
  relays: { [service]: carried },
  keys,
  log,
  ...options,
})
const server = await serve(gateway, { port: 0, ...serving })

let peak = 0
const sample = () => {
  peak = Math.max(peak, process.memoryUsage.rss())
}
setInterval(sample, 10)

process.on('message', async (order: Order) => {
  if (order.do === 'publish') await publish(order.stream, order.times, order.bytes)
  sample()
  process.send?.({ peakMiB: peak / 2 ** 20, answered, ...gateway.counts } satisfies Measures)
})
process.on('disconnect', () => process.exit())
process.send?.({ port: server.port })

async function publish(stream: string, times: number, bytes: number): Promise<void> {
  for (let n = 0; n < times; n++) {
    hub.stream(stream).publish({ n, filling: 'x'.repeat(bytes) })
    await new Promise(setImmediate)
  }
}
