import { MAX_MESSAGE_BYTES } from '@rivulet/websocket/protocol'
import type { Hub, RivuletError } from 'rivulet'
import type { ApiKey } from '../access/key-ring.ts'
import { type NoteForwarding, warnOfForwarding } from '../access/open-access.ts'
import { MAX_TOKEN_LENGTH, TOO_LONG, type TokenResult, verifyAccessToken } from '../access/token.ts'
import { type Answer, problemAnswer, unavailable } from '../base/answer.ts'
import { type GatewayLog, SILENT_LOG } from '../base/gateway-log.ts'
import { invalid } from '../base/invalid.ts'
import { type DirectPublish, makeDirectPublish } from '../http/direct-publish.ts'
import type { Protocol, ProtocolCounts, ProtocolHost } from '../http/protocol.ts'
import { HEALTH_PATHS, makeRouter, PAGE_PATH } from '../http/router.ts'
import type { SocketEndpoint } from '../http/socket-endpoint.ts'
import { PageGate } from '../pages/page-gate.ts'
import { type PageRequest, pageCheck } from '../pages/page-request.ts'
import type { PageHandler, PageSocket } from '../pages/session.ts'
import {
  type GatewayOptions,
  type ResolvedGatewayOptions,
  resolveOptions,
  warnOfShortSecrets,
} from './gateway-options.ts'

/** The number of clients, of the messages to listeners and client SDKs, and of the frames to pages. */
export interface GatewayCounts extends ProtocolCounts {
  /** How many pages there are. */
  readonly pages: number
  /** How many streams they are subscribed to, in all. */
  readonly joins: number
  /** Frames of pages that passed the checks. */
  readonly received: number
  /** Frames and joins of pages that were refused: another page's prefix, malformed, over a limit, without a grant. */
  readonly refused: number
}

/** Hubs behind HTTP. */
export interface Gateway {
  /** Whether it lets every client on this machine in. A server must then take connections on loopback only. */
  readonly isOpen: boolean
  /** The hubs behind it, one for each service. */
  readonly hubs: readonly Hub[]
  /**
   * How many listen, and what became of what was for them. `sent` and `dropped` add messages to listeners and client SDKs,
   * and frames to pages: a frame holds up to 64 messages. What was dropped was not sent.
   */
  readonly counts: GatewayCounts
  /**
   * Answers a request; never rejects. Bound, so that it can be handed over as it is. `bindings` is what Hono's
   * adapter of the runtime hands over: on Node a listener ends with its connection by it, elsewhere by
   * `request.signal`.
   */
  readonly fetch: (request: Request, bindings?: object) => Response | Promise<Response>
  /**
   * For servers that are not built on `fetch`: takes a publish with HTTP Basic without a web `Request`. Gives the
   * function that takes its body, or an answer, or `undefined` for a request that `fetch` has to answer. Bound.
   */
  readonly publish: DirectPublish
  /**
   * Replaces the keys, and ends listeners and connections of keys that are gone or have changed; tokens of theirs are
   * not accepted any more. Throws `INVALID_OPTIONS`, also for an empty list, since that would open the gateway, and then
   * leaves the keys as they were. The `account_sid` in answers stays the same.
   */
  setKeys(keys: readonly ApiKey[]): void
  /** The paths of the health checks, for servers that let load balancers ask for them without a `Host`. */
  readonly healthPaths: readonly string[]
  /** The paths at which servers take WebSockets: that of pages, and those of the protocol. */
  readonly sockets: readonly SocketEndpoint[]
  /** The path at which servers take the WebSockets of pages, or `undefined` without a relay. */
  readonly pagePath: string | undefined
  /**
   * Looks at a request for a WebSocket at `pagePath` before it becomes one: at its `Origin`, and without keys at its
   * `Host`, too. Gives the answer that refuses it. `fetch` asks it by itself, in Deno and in Bun.
   */
  checkPage(request: PageRequest): Answer | undefined
  /**
   * Takes over a WebSocket that a server has accepted at `pagePath`, for messages of at most 323 KiB. The server tells
   * what comes of it by the methods given. Its first message carries the token. Throws `INVALID_OPTIONS` without a
   * relay.
   */
  acceptPage(socket: PageSocket): PageHandler
  /**
   * Has `/readyz` and `/healthz` answer 503 from now on, so that load balancers send requests elsewhere. Everything else
   * goes on until `close`.
   */
  drain(): void
  /** Ends the listeners with a reason, and answers 503 from now on. The hubs stay open; the registry is closed. */
  close(): Promise<void>
}

/**
 * Puts hubs behind HTTP and WebSockets: pages where there is a relay, and a protocol where one is given. Mount
 * `gateway.fetch` in a server, or give the gateway to `serve`. Throws `INVALID_OPTIONS`.
 */
export function createGateway(options: GatewayOptions): Gateway {
  return new HttpGateway(resolveOptions(options))
}

const NO_PROTOCOL: ProtocolCounts = Object.freeze({
  listeners: 0,
  connections: 0,
  subscriptions: 0,
  sent: 0,
  dropped: 0,
})
const NO_PAGES = Object.freeze({ pages: 0, joins: 0, received: 0, sent: 0, dropped: 0, refused: 0 })

/** Pages, and one protocol beside them. */
class HttpGateway implements Gateway {
  readonly fetch: Gateway['fetch']
  readonly publish: DirectPublish
  readonly #options: ResolvedGatewayOptions
  readonly #protocol: Protocol | undefined
  /** Only with a relay: where there is none, a worker may not draw the chance that pages need. */
  readonly #pages: PageGate | undefined
  readonly #checkPage: ReturnType<typeof pageCheck>
  readonly #noteForwarding: NoteForwarding
  readonly #router: ReturnType<typeof makeRouter>
  readonly #unwatch: readonly (() => void)[]
  #isDraining = false
  #isClosed = false

  constructor(options: ResolvedGatewayOptions) {
    const { services, log } = options
    this.#options = options
    const isClosed = () => this.#isClosed
    const noteForwarding = options.publicUrl === undefined ? warnOfForwarding(log) : () => {}
    this.#noteForwarding = noteForwarding
    this.#protocol = options.protocol?.(hostOf(options))
    const surroundings = { protocol: this.#protocol, isClosed, noteForwarding }
    this.publish = makeDirectPublish(options, surroundings)
    this.#pages = options.relays.size > 0 ? new PageGate(options) : undefined
    this.#checkPage = pageCheck(options)
    this.#router = makeRouter(options, {
      ...surroundings,
      pages: this.pagePath === undefined ? undefined : this,
      isDraining: () => this.#isDraining,
    })
    this.fetch = (request, bindings = {}) => this.#router.fetch(request, bindings)
    this.#unwatch = [...services.values()].map((hub) => watch(hub, log))
  }

  get isOpen(): boolean {
    return this.#options.isOpen
  }

  get hubs(): readonly Hub[] {
    return [...this.#options.services.values()]
  }

  get counts(): GatewayCounts {
    const protocol = this.#protocol?.counts ?? NO_PROTOCOL
    const pages = this.#pages?.counts ?? NO_PAGES
    return {
      ...protocol,
      ...pages,
      sent: protocol.sent + pages.sent,
      dropped: protocol.dropped + pages.dropped,
    }
  }

  get healthPaths(): readonly string[] {
    return HEALTH_PATHS.map((path) => `${this.#options.basePath}${path}`)
  }

  get sockets(): readonly SocketEndpoint[] {
    const { basePath } = this.#options
    const own = (this.#protocol?.sockets ?? []).map((endpoint) => below(basePath, endpoint))
    if (this.pagePath === undefined) return own
    const pages: SocketEndpoint = {
      path: this.pagePath,
      maxMessageBytes: MAX_MESSAGE_BYTES,
      check: (request) => this.checkPage(request),
      accept: (socket) => this.acceptPage(socket),
    }
    return [...own, pages]
  }

  get pagePath(): string | undefined {
    return this.#pages === undefined ? undefined : `${this.#options.basePath}${PAGE_PATH}`
  }

  checkPage(request: PageRequest): Answer | undefined {
    if (this.#isClosed) return answerUnavailable()
    this.#noteForwarding((name) => request.headers.get(name) ?? undefined)
    return this.#checkPage(request)
  }

  acceptPage(socket: PageSocket): PageHandler {
    if (this.#pages === undefined) throw invalid('There is no relay, so pages are not served; see pagePath.')
    return this.#pages.accept(socket)
  }

  setKeys(keys: readonly ApiKey[]): void {
    if (this.isOpen)
      throw invalid('A gateway that was made with `open: true` takes no keys; make another one.')
    if (keys.length === 0) throw invalid('There are no keys; give at least one.')
    const sids = this.#options.keys.replace(keys)
    warnOfShortSecrets(this.#options.keys, this.#options.log)
    this.#protocol?.endOf(sids)
    this.#pages?.endOf(sids)
  }

  drain(): void {
    this.#isDraining = true
  }

  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    const closed = this.#protocol?.close()
    this.#pages?.close()
    for (const unwatch of this.#unwatch) unwatch()
    await closed
  }
}

function below(basePath: string, endpoint: SocketEndpoint): SocketEndpoint {
  return {
    path: `${basePath}${endpoint.path}`,
    maxMessageBytes: endpoint.maxMessageBytes,
    ...(endpoint.check !== undefined && { check: (request) => endpoint.check?.(request) }),
    accept: (socket) => endpoint.accept(socket),
  }
}

/** Gives a protocol its view of the gateway. */
function hostOf(options: ResolvedGatewayOptions): ProtocolHost {
  const { services, accountSid, isOpen, log } = options
  return {
    services,
    accountSid,
    isOpen,
    log,
    verifyAccessToken: (token) => verifyToken(token, options),
  }
}

async function verifyToken(token: unknown, options: ResolvedGatewayOptions): Promise<TokenResult> {
  const { keys, services, maxTokenLifeSeconds, log } = options
  if (typeof token !== 'string' || token.length > MAX_TOKEN_LENGTH) return { ok: false, reason: 'invalid' }
  const { accountSid } = keys
  const nowMs = Date.now()
  const result = await verifyAccessToken(token, keys, services, accountSid, nowMs, maxTokenLifeSeconds)
  if (!result.ok && result.reason === 'tooLong') log.warn({ maxTokenLifeSeconds }, TOO_LONG)
  return result
}

function answerUnavailable(): Answer {
  const { problem, headers } = unavailable()
  return problemAnswer(problem, headers)
}

/**
 * Writes a hub's errors and changes of status to the log, until the function that it gives is called. Without a log it
 * does not listen: the hub would count it as a listener for its errors, and keep them from the console.
 */
function watch(hub: Hub, log: GatewayLog): () => void {
  if (log === SILENT_LOG) return () => {}
  // Not the message: it repeats what a subscriber threw.
  const onError = (error: RivuletError) =>
    log.warn({ code: error.code, hub: hub.name, stream: error.stream }, 'a hub reports an error')
  const onStatus = (status: string) => log.info({ hub: hub.name, status }, 'the status of a hub changed')
  hub.on('error', onError).on('status', onStatus)
  return () => void hub.off('error', onError).off('status', onStatus)
}
