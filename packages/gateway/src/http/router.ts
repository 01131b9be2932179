import { type Context, Hono } from 'hono'
import { cors } from 'hono/cors'
import { type Access, callerOf, headOf, originOf } from '../access/authentication.ts'
import { type NoteForwarding, openAccess } from '../access/open-access.ts'
import {
  type Answer,
  answerWith,
  jsonAnswer,
  type LogLine,
  problemAnswer,
  responseOf,
  textAnswer,
  unavailableAnswer,
} from '../base/answer.ts'
import type { GatewayLog } from '../base/gateway-log.ts'
import type { PageRequest } from '../pages/page-request.ts'
import { type AcceptPage, upgradeRequest } from '../pages/runtime-upgrade.ts'
import type { StreamRegistry } from '../registry/registry.ts'
import type { StreamService } from '../streams/stream-service.ts'
import type { ClientSocket, Exchange } from './exchange.ts'
import type { Listening } from './listening.ts'
import openApi from './openapi.json' with { type: 'json' }
import { rawPathOf } from './path.ts'
import { PLAYGROUND_PATHS, playgroundFile } from './playground.ts'
import { publishRequest } from './publishing.ts'
import { type ServiceOptions, type ServicesApi, serviceSidOf } from './services-api.ts'
import type { StreamsApi } from './streams-api.ts'

/** Options of the router. */
export interface RouterOptions extends ServiceOptions, Access {
  readonly services: ServiceOptions['services']
  readonly registry: StreamRegistry
  readonly allowedHosts: readonly string[]
  readonly basePath: string
  readonly playground: boolean
  /** By the sids of their services. */
  readonly relays: ReadonlyMap<string, unknown>
  readonly log: GatewayLog
}

/** Handlers of the routes. */
export interface Destinations {
  readonly service: StreamService
  readonly streams: StreamsApi
  readonly services: ServicesApi
  readonly listening: Listening
  /** Takes pages, where they are served. */
  readonly pages: PageDestination | undefined
  readonly isClosed: () => boolean
  /** Whether load balancers should send requests elsewhere. */
  readonly isDraining: () => boolean
  /** Told of each request. */
  readonly noteForwarding: NoteForwarding
}

/** Where the WebSockets of pages go. */
interface PageDestination {
  readonly counts: { readonly pages: number }
  checkPage(request: PageRequest): Answer | undefined
  readonly acceptPage: AcceptPage
}

interface Bindings {
  /** Node's request, when Hono's adapter for Node is in front. */
  readonly incoming?: { readonly socket: ClientSocket }
}

type Env = { Bindings: Bindings }
type Handler = (context: Context<Env>, line: LogLine) => Answer | Promise<Answer>
type ApiHandler = (exchange: Exchange) => Answer | Promise<Answer>
type ApiRoute = readonly [method: string, path: string, name: string, handle: ApiHandler]

/** The path of the WebSockets of pages. */
export const PAGE_PATH = '/rivulet'
/** Everything is up; the process runs; requests are welcome, even if the registry is away. */
export const HEALTH_PATHS = ['/healthz', '/livez', '/readyz'] as const
const SERVICES = '/v1/Services'
const SERVICE = `${SERVICES}/:service`
const STREAMS = `${SERVICE}/Streams`
const STREAM = `${STREAMS}/:stream`
const MESSAGES = `${STREAM}/Messages`
const API_PATH = /^\/v1\/Services(?:\/[^/]+(\/Streams(\/[^/]+(\/Messages)?)?)?)?$/
const OPEN_API = JSON.stringify(openApi)

/** Leads requests to their handlers. */
export function makeRouter(options: RouterOptions, to: Destinations): Hono<Env> {
  const { basePath, corsOrigins } = options
  // Paths are split before they are decoded, since a name may hold a slash.
  const router = new Hono<Env>({ getPath: (request) => rawPathOf(request.url, basePath) })
  if (corsOrigins.length > 0) router.use('*', corsOf(corsOrigins))
  const guarded = guard(options, to)
  for (const [method, path, name, handle] of apiRoutes(to)) {
    router.on(
      method,
      path,
      guarded(name, (context, line) => withExchange(context, options, line, handle)),
    )
  }
  for (const path of HEALTH_PATHS) {
    router.get(
      path,
      guarded('health', () => healthOf(path, options, to)),
    )
  }
  const description = guarded('openapi', () => textAnswer(OPEN_API, 200))
  router.get('/openapi.json', description)
  const playground = guarded('playground', ({ req }) => playgroundFile(req.path, pageHubOf(options)))
  for (const path of options.playground ? PLAYGROUND_PATHS : []) router.get(path, playground)
  const { pages } = to
  if (pages !== undefined) router.get(PAGE_PATH, ({ req, env }) => takePage(req.raw, env, pages))
  // Not as routes for all methods: with two routes for a path Hono takes a slower way.
  router.notFound(guarded('none', ({ req }) => unknownRoute(req.path)))
  router.onError(() => responseOf(problemAnswer('internal')))
  return router
}

/** Names the hub that the playground joins. */
function pageHubOf({ services, relays }: RouterOptions): string {
  const [sid = ''] = relays.keys()
  return services.get(sid)?.name as string
}

function takePage(request: Request, bindings: object, pages: PageDestination): Response {
  const refusal = pages.checkPage(request)
  if (refusal !== undefined) return responseOf(refusal)
  return upgradeRequest(request, bindings, (socket) => pages.acceptPage(socket))
}

function apiRoutes({ service, services, listening, streams }: Destinations): readonly ApiRoute[] {
  return [
    ['POST', MESSAGES, 'publish', (exchange) => publishRequest(service, exchange, exchange.request)],
    ['GET', MESSAGES, 'listen', (exchange) => listening.listen(exchange)],
    ['GET', STREAM, 'fetch', (exchange) => streams.fetch(exchange)],
    ['POST', STREAM, 'update', (exchange) => streams.update(exchange)],
    ['DELETE', STREAM, 'remove', (exchange) => streams.remove(exchange)],
    ['POST', STREAMS, 'create', (exchange) => streams.create(exchange)],
    ['GET', STREAMS, 'list', (exchange) => streams.list(exchange)],
    ['GET', SERVICE, 'service', (exchange) => services.fetch(exchange)],
    ['GET', SERVICES, 'services', (exchange) => services.list(exchange)],
  ]
}

/** Answers for a path that there is, but not for that method, and for one that there isn't. */
function unknownRoute(path: string): Answer {
  const [isKnown, streams, stream, messages] = API_PATH.exec(path) ?? []
  if (isKnown === undefined) return problemAnswer('notFound')
  if (messages !== undefined) return problemAnswer('listenBySse', { allow: 'POST, GET' })
  if (streams === undefined) return problemAnswer('methodNotAllowed', { allow: 'GET' })
  return problemAnswer('methodNotAllowed', { allow: stream ? 'GET, POST, DELETE' : 'GET, POST' })
}

/** Checks what concerns every request, turns what is thrown into an answer, and writes a line about it. */
function guard(options: RouterOptions, to: Destinations) {
  const checkOpen = options.isOpen ? openAccess(options.allowedHosts, options.corsOrigins) : undefined
  return (route: string, handle: Handler) =>
    async (context: Context<Env>): Promise<Response> => {
      const request = context.req.raw
      const line: LogLine = { route, method: request.method }
      const answer = await answerWith(options.log, line, () => {
        if (to.isClosed()) return unavailableAnswer()
        checkOpen?.(request)
        to.noteForwarding((name) => request.headers.get(name) ?? undefined)
        return handle(context, line)
      })
      return responseOf(answer)
    }
}

async function withExchange(
  context: Context<Env>,
  options: RouterOptions,
  line: LogLine,
  handle: ApiHandler,
): Promise<Answer> {
  const request = context.req.raw
  const found = callerOf(headOf(request, context.env.incoming?.socket?.remoteAddress), options, Date.now())
  const caller = found instanceof Promise ? await found : found
  line.key = caller.keySid
  line.identity = caller.identity
  const [, , , service = 'default', , streamSegment = ''] = context.req.path.split('/')
  return handle({
    request,
    caller,
    serviceSid: serviceSidOf(service, options.services),
    streamSegment,
    servicesUrl: () => `${options.publicUrl ?? originOf(request.url)}${options.basePath}${SERVICES}`,
    socket: context.env.incoming?.socket,
  })
}

function corsOf(origins: readonly string[]) {
  return cors({
    origin: origins.includes('*') ? '*' : [...origins],
    allowMethods: ['GET', 'POST', 'DELETE'],
    allowHeaders: ['Authorization', 'Content-Type'],
    exposeHeaders: ['Retry-After'],
    maxAge: 600,
  })
}

function healthOf(
  path: (typeof HEALTH_PATHS)[number],
  { services, registry }: RouterOptions,
  { isDraining, pages }: Destinations,
): Answer {
  const statuses = [...services.values()].map((hub) => hub.status)
  const areHubsUp = statuses.every((status) => status === 'up' || status === 'local')
  const isReady = areHubsUp && !isDraining()
  // While the registry is away, publishing and listening go on for the streams that are known.
  const isUp = { '/livez': true, '/readyz': isReady, '/healthz': isReady && registry.status === 'up' }[path]
  const status = isUp ? 'up' : 'down'
  const body = { status, registry: registry.status === 'up' ? 'up' : 'degraded' }
  return jsonAnswer({ ...body, ...(pages !== undefined && { pages: pages.counts.pages }) }, isUp ? 200 : 503)
}
