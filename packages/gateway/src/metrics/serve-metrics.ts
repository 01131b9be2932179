import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Registry } from 'prom-client'
import { checkOptions, PORT, TEXT } from '../base/options.ts'
import type { Gateway } from '../gateway/gateway.ts'
import { listen } from '../server/listen.ts'
import { metricsOf } from './metrics.ts'

/** The server of the metrics: its address and how to close it. */
export interface ServeMetricsOptions {
  /** 0 takes a free one. @default 9464 */
  readonly port?: number | undefined
  /**
   * The address to listen on. It has no authentication: let only what collects the metrics reach it.
   * @default '127.0.0.1'
   */
  readonly hostname?: string | undefined
}

/** A server of metrics. */
export interface MetricsServer {
  /** The URL of the metrics, e.g. `http://127.0.0.1:9464/metrics`. */
  readonly url: string
  /** The port that it got. */
  readonly port: number
  /** Closes the server. Any number of times. */
  close(): Promise<void>
}

// The port of the OpenTelemetry exporter for Prometheus.
const DEFAULT_PORT = 9464
const PATH = '/metrics'
const MAX_CONNECTIONS = 50
const TIMEOUT_MS = 10_000
const TIMEOUTS = {
  headersTimeout: TIMEOUT_MS,
  requestTimeout: TIMEOUT_MS,
  connectionsCheckingInterval: TIMEOUT_MS,
}
const HEADERS = { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff', connection: 'close' }

/**
 * Serves the metrics of a gateway and of its hubs on Node, for Prometheus, on a port of its own. Needs the packages
 * `@rivulet/otel` and `prom-client`. There are numbers and names of hubs in them; no names of streams, no data, no
 * keys. So any `Host` is answered, though a page could read them by DNS rebinding: Prometheus asks by whatever name the
 * machine has. Rejects `INVALID_OPTIONS`, or with what Node says when the port is taken.
 */
export async function serveMetrics(
  gateway: Gateway,
  options: ServeMetricsOptions = {},
): Promise<MetricsServer> {
  checkOptions(options, { port: PORT, hostname: TEXT })
  const { port = DEFAULT_PORT, hostname = '127.0.0.1' } = options
  const registry = await metricsOf(gateway)
  const { createServer } = await import('node:http')
  const server = createServer(TIMEOUTS, (request, response) => {
    request.resume()
    answer(registry, request, response).catch(() => response.writeHead(500, HEADERS).end())
  })
  server.setTimeout(TIMEOUT_MS)
  makeRoom(server)
  const address = await listen(server, { port, host: hostname })
  let closing: Promise<void> | undefined
  return {
    url: `${address.url}${PATH}`,
    port: address.port,
    close() {
      closing ??= new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      })
      return closing
    },
  }
}

/** Ends the oldest connection where one is too many: were the new one refused, idle ones would lock Prometheus out. */
function makeRoom(server: Server): void {
  const connections = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    const [oldest] = connections
    if (connections.size === MAX_CONNECTIONS) oldest?.destroy()
    connections.add(socket)
    socket.once('close', () => connections.delete(socket))
  })
}

async function answer(registry: Registry, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { method = '', url = '' } = request
  if (url.split('?', 1)[0] !== PATH) return void response.writeHead(404, HEADERS).end()
  if (method !== 'GET' && method !== 'HEAD') {
    return void response.writeHead(405, { ...HEADERS, allow: 'GET, HEAD' }).end()
  }
  const text = await registry.metrics()
  response.writeHead(200, { ...HEADERS, 'content-type': registry.contentType }).end(text)
}
