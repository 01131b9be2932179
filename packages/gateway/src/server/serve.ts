import type { Server } from 'node:http'
import { invalid } from '../base/invalid.ts'
import { checkOptions, type Form, numberFrom, PORT, TEXT } from '../base/options.ts'
import { PROBLEMS } from '../base/problem.ts'
import type { Gateway } from '../gateway/gateway.ts'
import {
  answerBrokenRequests,
  hasManyHeaders,
  isClear,
  isPlainHealthCheck,
  MAX_HEADERS,
  refuseBy,
  refuseRequest,
} from './broken-request.ts'
import { ClientSockets, endableRequests } from './client-sockets.ts'
import { listen } from './listen.ts'
import { toNodeHandler } from './node-handler.ts'
import { takeUpgrades } from './upgrade.ts'

/** Address and limits of a server. */
export interface ServeOptions {
  /** 0 takes a free one. @default 8080 */
  readonly port?: number | undefined
  /** The address to listen on; beyond this machine only with keys. @default '127.0.0.1' */
  readonly hostname?: string | undefined
  /** Connections at once; further ones are closed. @default 10000 */
  readonly maxConnections?: number | undefined
  /** Milliseconds that the headers of a request may take. @default 10000 */
  readonly headersTimeoutMs?: number | undefined
  /** Milliseconds that a whole request may take, body included. @default 30000 */
  readonly requestTimeoutMs?: number | undefined
  /** Milliseconds that an idle connection is kept; longer than a proxy in front keeps it. @default 65000 */
  readonly keepAliveTimeoutMs?: number | undefined
  /**
   * Milliseconds in which a client must take something of what waits for it: at least one write, which is 16 KiB, or
   * a longer page or message. Otherwise it is hung up on. @default 30000
   */
  readonly writeStallMs?: number | undefined
}

/** A gateway that takes connections. */
export interface GatewayServer {
  /** The URL that it listens on, e.g. `http://127.0.0.1:8080`. */
  readonly url: string
  /** The port that it got. */
  readonly port: number
  /**
   * Closes the gateway, answers what has begun, and ends what is left after `timeoutMs` (5000), WebSockets whose client
   * does not answer after a second. Any number of times. The hubs stay open.
   */
  close(options?: { readonly timeoutMs?: number | undefined }): Promise<void>
}

const FORMS: Readonly<Record<keyof ServeOptions, Form>> = {
  port: PORT,
  hostname: TEXT,
  maxConnections: numberFrom(1),
  writeStallMs: numberFrom(1),
  // To Node 0 is no limit.
  headersTimeoutMs: numberFrom(0),
  requestTimeoutMs: numberFrom(0),
  keepAliveTimeoutMs: numberFrom(0),
}
const CLOSE_FORMS = { timeoutMs: numberFrom(0) }

// The request line counts too: enough for a name of 320 characters, percent-encoded, beside a token.
const MAX_HEADER_BYTES = 16_384
const LOOPBACK = /^(localhost|127\.\d+\.\d+\.\d+|::1|\[::1\])$/
const CLOSE_TIMEOUT_MS = 5000
// A client's answer to a close needs a round trip, and its socket may have some messages to take before.
const CLOSE_WEBSOCKETS_MS = 1000
// Beyond it Node waits until a client has taken what was sent, in every version: in 22 it would be 64 KiB.
const MAX_UNTAKEN_BYTES = 16_384
// The kernel caps it. Of 2 000 clients that connect at once, Node's 511 would leave many waiting for seconds.
const BACKLOG = 4096

/**
 * Serves a gateway on Node, and resolves when it takes connections. Rejects with what Node says when the port is
 * taken, and `INVALID_OPTIONS`, also for a gateway without keys that would be reachable from other machines.
 */
export async function serve(gateway: Gateway, options: ServeOptions = {}): Promise<GatewayServer> {
  checkOptions(options, FORMS)
  const { port = 8080, hostname = '127.0.0.1' } = options
  if (gateway.isOpen && !LOOPBACK.test(hostname)) {
    const advice = 'listen on 127.0.0.1, or give it keys.'
    throw invalid(`A gateway without keys is for this machine only; ${advice}`)
  }
  const { server, terminateAll } = await serverOf(gateway, options)
  const address = await listen(server, { port, host: hostname, backlog: BACKLOG })
  let closing: Promise<void> | undefined
  return {
    ...address,
    async close(given = {}) {
      checkOptions(given, CLOSE_FORMS)
      closing ??= close(gateway, { server, terminateAll }, given.timeoutMs ?? CLOSE_TIMEOUT_MS)
      await closing
    },
  }
}

interface NodeServer {
  readonly server: Server
  /** Ends all WebSockets. */
  readonly terminateAll: () => void
}

async function serverOf(gateway: Gateway, options: ServeOptions): Promise<NodeServer> {
  // Only here, so that the handler itself runs where there is no Node.
  const { createServer, IncomingMessage, STATUS_CODES } = await import('node:http')
  const server = createServer({
    IncomingMessage: endableRequests(IncomingMessage),
    maxHeaderSize: MAX_HEADER_BYTES,
    highWaterMark: MAX_UNTAKEN_BYTES,
    headersTimeout: options.headersTimeoutMs ?? 10_000,
    requestTimeout: options.requestTimeoutMs ?? 30_000,
    keepAliveTimeout: options.keepAliveTimeoutMs ?? 65_000,
    connectionsCheckingInterval: 1000,
    // Node's answer would be empty; it is looked at below.
    requireHostHeader: false,
  })
  server.maxConnections = options.maxConnections ?? 10_000
  // Node keeps so many and leaves out the others, a second `Host` among them; such requests are refused.
  server.maxHeadersCount = MAX_HEADERS
  const sockets = new ClientSockets(server, options.writeStallMs ?? 30_000)
  answerRequests(server, sockets, gateway)
  const refuse = refuseBy(STATUS_CODES, sockets)
  answerBrokenRequests(server, refuse)
  // Without a listener for upgrades Node answers those requests as if they asked for none.
  if (gateway.sockets.length === 0) return { server, terminateAll: () => {} }
  return { server, terminateAll: await takeUpgrades(server, gateway, { refuse, sockets }) }
}

function answerRequests(server: Server, sockets: ClientSockets, gateway: Gateway): void {
  const handle = toNodeHandler(gateway)
  server.on('request', (incoming, outgoing) => {
    sockets.answer(incoming, outgoing, () => {
      if (hasManyHeaders(incoming)) refuseRequest(outgoing, PROBLEMS.headersTooLarge)
      else if (isClear(incoming) || isPlainHealthCheck(incoming, gateway)) handle(incoming, outgoing)
      else refuseRequest(outgoing, PROBLEMS.badRequest)
    })
  })
  // Of any expectation but 100-continue.
  server.on('checkExpectation', (incoming, outgoing) => {
    sockets.answer(incoming, outgoing, () => refuseRequest(outgoing, PROBLEMS.badExpectation))
  })
}

async function close(
  gateway: Gateway,
  { server, terminateAll }: NodeServer,
  timeoutMs: number,
): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()))
  const timer = setTimeout(() => {
    server.closeAllConnections()
    terminateAll()
  }, timeoutMs)
  const hangUp = setTimeout(terminateAll, Math.min(timeoutMs, CLOSE_WEBSOCKETS_MS))
  await gateway.close()
  server.closeIdleConnections()
  // Those that were answering just now become idle only later.
  const sweep = setInterval(() => server.closeIdleConnections(), 20)
  await closed
  clearInterval(sweep)
  clearTimeout(timer)
  clearTimeout(hangUp)
}
