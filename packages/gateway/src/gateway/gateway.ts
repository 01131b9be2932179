import type { PageHandler, PageSocket } from '@rivulet/websocket/relay'
import type { Hub, RivuletError } from 'rivulet'
import type { ApiKey } from '../access/key-ring.ts'
import { type NoteForwarding, warnOfForwarding } from '../access/open-access.ts'
import { type Answer, unavailableAnswer } from '../base/answer.ts'
import { type GatewayLog, SILENT_LOG } from '../base/gateway-log.ts'
import { invalid } from '../base/invalid.ts'
import { Listening, type ListeningCounts } from '../http/listening.ts'
import { type DirectPublish, makeDirectPublish } from '../http/publishing.ts'
import { HEALTH_PATHS, makeRouter, PAGE_PATH } from '../http/router.ts'
import { ServicesApi } from '../http/services-api.ts'
import { StreamsApi } from '../http/streams-api.ts'
import { PageGate } from '../pages/page-gate.ts'
import { type PageRequest, pageCheck } from '../pages/page-request.ts'
import { LiveStreams } from '../streams/live-streams.ts'
import { StreamService } from '../streams/stream-service.ts'
import { type ConnectionCounts, Connections } from '../twilsock/connections.ts'
import type { TwilsockHandler, TwilsockSocket } from '../twilsock/socket.ts'
import {
  type GatewayOptions,
  type ResolvedGatewayOptions,
  resolveOptions,
  warnOfShortSecrets,
} from './gateway-options.ts'

/** How many listen, and what became of the messages to listeners and client SDKs and of the frames to pages. */
export interface GatewayCounts extends ListeningCounts, ConnectionCounts {
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
  /** Whether it lets everybody on this machine ask. A server must then take connections on loopback only. */
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
  /** The paths that tell whether it is up, for servers that let load balancers ask for them without a `Host`. */
  readonly healthPaths: readonly string[]
  /** The path at which servers take the WebSockets of client SDKs, or `undefined` when they are not served. */
  readonly twilsockPath: string | undefined
  /**
   * Takes over a WebSocket that a server has accepted at `twilsockPath`, without a subprotocol and for messages of
   * at most 1 MiB. The server tells what comes of it by the methods given. Its first message carries the token.
   */
  acceptTwilsock(socket: TwilsockSocket): TwilsockHandler
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
  /** Tells the listeners, ends them, and answers 503 from now on. The hubs stay open; the registry is closed. */
  close(): Promise<void>
}

/**
 * Puts hubs behind Twilio Sync's HTTP API, as a web-standard handler: mount `gateway.fetch` in a server, or give
 * the gateway to `serve`. Throws `INVALID_OPTIONS`.
 */
export function createGateway(options: GatewayOptions): Gateway {
  return new HttpGateway(resolveOptions(options))
}

const NO_PAGES = Object.freeze({ pages: 0, joins: 0, received: 0, sent: 0, dropped: 0, refused: 0 })

class HttpGateway implements Gateway {
  readonly fetch: Gateway['fetch']
  readonly publish: DirectPublish
  readonly #options: ResolvedGatewayOptions
  readonly #live: LiveStreams
  readonly #listening: Listening
  readonly #connections: Connections
  /** Only with a relay: where there is none, a worker may not draw the chance that pages need. */
  readonly #pages: PageGate | undefined
  readonly #checkPage: ReturnType<typeof pageCheck>
  readonly #noteForwarding: NoteForwarding
  readonly #router: ReturnType<typeof makeRouter>
  readonly #unwatch: readonly (() => void)[]
  #isDraining = false
  #isClosed = false

  constructor(options: ResolvedGatewayOptions) {
    const { registry, services, accountSid, log } = options
    this.#options = options
    this.#live = new LiveStreams(services, registry)
    const service = new StreamService(registry, this.#live, options)
    this.#listening = new Listening(service, options)
    const isClosed = () => this.#isClosed
    const noteForwarding = options.publicUrl === undefined ? warnOfForwarding(log) : () => {}
    this.#noteForwarding = noteForwarding
    this.publish = makeDirectPublish(options, service, isClosed, noteForwarding)
    this.#connections = new Connections(service, { ...options, epoch: () => registry.epoch })
    this.#pages = options.relays.size > 0 ? new PageGate(options) : undefined
    this.#checkPage = pageCheck(options)
    this.#router = makeRouter(options, {
      service,
      streams: new StreamsApi(service, registry, accountSid),
      services: new ServicesApi(options),
      listening: this.#listening,
      pages: this.pagePath === undefined ? undefined : this,
      isClosed,
      isDraining: () => this.#isDraining,
      noteForwarding,
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
    const listening = this.#listening.counts
    const connections = this.#connections.snapshot
    const pages = this.#pages?.counts ?? NO_PAGES
    return {
      ...{ ...connections, ...pages, listeners: listening.listeners },
      sent: listening.sent + connections.sent + pages.sent,
      dropped: listening.dropped + connections.dropped + pages.dropped,
    }
  }

  get healthPaths(): readonly string[] {
    return HEALTH_PATHS.map((path) => `${this.#options.basePath}${path}`)
  }

  get twilsockPath(): string | undefined {
    return this.#options.twilsock ? `${this.#options.basePath}/v3/wsconnect` : undefined
  }

  acceptTwilsock(socket: TwilsockSocket): TwilsockHandler {
    return this.#connections.accept(socket)
  }

  get pagePath(): string | undefined {
    return this.#pages === undefined ? undefined : `${this.#options.basePath}${PAGE_PATH}`
  }

  checkPage(request: PageRequest): Answer | undefined {
    if (this.#isClosed) return unavailableAnswer()
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
    this.#listening.endOf(sids)
    this.#connections.endOf(sids)
    this.#pages?.endOf(sids)
  }

  drain(): void {
    this.#isDraining = true
  }

  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#connections.close()
    this.#pages?.close()
    this.#live.close()
    for (const unwatch of this.#unwatch) unwatch()
    await this.#options.registry.close()
  }
}

/**
 * Writes a hub's errors and changes of status to the log, until the function that it gives is called. Without a log it
 * does not listen: the hub would take its errors for heard, and keep them from the console.
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
