import { type Context, Hono } from 'hono'
import { cors } from 'hono/cors'
import { callerOf } from '../access/caller.ts'
import { openAccess } from '../access/open-access.ts'
import { ApiError, problemResponse } from '../base/problem.ts'
import type { ResolvedGatewayOptions } from '../gateway/gateway-options.ts'
import { answerOf } from './answer.ts'
import type { Exchange } from './exchange.ts'
import { jsonResponse } from './json-response.ts'
import type { Listening } from './listening.ts'
import openApi from './openapi.json' with { type: 'json' }
import { decodeSegment, rawPathOf } from './path.ts'
import { PLAYGROUND_PATHS, playgroundFile } from './playground.ts'
import type { Publishing } from './publishing.ts'
import type { StreamsApi } from './streams-api.ts'

/** What the routes lead to. */
export interface Destinations {
  readonly streams: StreamsApi
  readonly publishing: Publishing
  readonly listening: Listening
  readonly isClosed: () => boolean
}

interface Bindings {
  /** Node's response, when Hono's adapter for Node is in front. */
  readonly outgoing?: { destroy(): void }
}

type Env = { Bindings: Bindings }
type Handler = (context: Context<Env>) => Response | Promise<Response>
type ApiHandler = (exchange: Exchange) => Promise<Response>
type ApiRoute = readonly [method: string, path: string, name: string, handle: ApiHandler]

const STREAMS = '/v1/Services/:service/Streams'
const STREAM = `${STREAMS}/:stream`
const MESSAGES = `${STREAM}/Messages`
const API_PATH = /^\/v1\/Services\/[^/]+\/Streams(\/[^/]+(\/Messages)?)?$/

/** Leads requests to their handlers. */
export function makeRouter(options: ResolvedGatewayOptions, to: Destinations): Hono<Env> {
  const { basePath, corsOrigins } = options
  // Paths are split before they are decoded, since a name may hold a slash.
  const router = new Hono<Env>({ getPath: (request) => rawPathOf(request.url, basePath) })
  if (corsOrigins.length > 0) router.use('*', corsOf(corsOrigins))
  const guarded = guard(options, to)
  for (const [method, path, name, handle] of apiRoutes(to)) {
    router.on(
      method,
      path,
      guarded(name, (context) => withExchange(context, options, handle)),
    )
  }
  const health = guarded('health', () => healthOf(options, to.isClosed()))
  router.get('/healthz', health)
  const description = guarded('openapi', () => jsonResponse(openApi, 200))
  router.get('/openapi.json', description)
  const playground = guarded('playground', ({ req }) => playgroundFile(req.path))
  for (const path of options.playground ? PLAYGROUND_PATHS : []) router.get(path, playground)
  // Not as routes for all methods: with two routes for a path Hono takes a slower way.
  router.notFound(guarded('none', ({ req }) => unknownRoute(req.path)))
  router.onError(() => problemResponse('internal'))
  return router
}

function apiRoutes({ publishing, listening, streams }: Destinations): readonly ApiRoute[] {
  return [
    ['POST', MESSAGES, 'publish', (exchange) => publishing.publish(exchange)],
    ['GET', MESSAGES, 'listen', (exchange) => listening.listen(exchange)],
    ['GET', STREAM, 'fetch', (exchange) => streams.fetch(exchange)],
    ['POST', STREAM, 'update', (exchange) => streams.update(exchange)],
    ['DELETE', STREAM, 'remove', (exchange) => streams.remove(exchange)],
    ['POST', STREAMS, 'create', (exchange) => streams.create(exchange)],
    ['GET', STREAMS, 'list', (exchange) => streams.list(exchange)],
  ]
}

/** Answers for a path that there is, but not for that method, and for one that there isn't. */
function unknownRoute(path: string): Response {
  const [, stream, messages] = API_PATH.exec(path) ?? []
  if (!API_PATH.test(path)) return problemResponse('notFound')
  if (messages !== undefined) return problemResponse('listenBySse', { allow: 'POST, GET' })
  return problemResponse('methodNotAllowed', { allow: stream ? 'GET, POST, DELETE' : 'GET, POST' })
}

/** Checks what concerns every request, turns what is thrown into a response, and writes a line about it. */
function guard(options: ResolvedGatewayOptions, to: Destinations) {
  const checkOpen = options.isOpen ? openAccess(options.allowedHosts, options.corsOrigins) : undefined
  return (route: string, handle: Handler): Handler =>
    (context) =>
      answerOf(options.log, route, context.req.raw, () => {
        if (to.isClosed()) return problemResponse('unavailable', { 'retry-after': '2' })
        checkOpen?.(context.req.raw)
        return handle(context)
      })
}

async function withExchange(
  context: Context<Env>,
  options: ResolvedGatewayOptions,
  handle: ApiHandler,
): Promise<Response> {
  const request = context.req.raw
  const found = callerOf(request, options.keys, Date.now())
  const caller = found instanceof Promise ? await found : found
  const [, , , service = '', , streamSegment = ''] = context.req.path.split('/')
  return handle({
    request,
    caller,
    serviceSid: serviceSidOf(service, options),
    streamSegment,
    servicesUrl: () => `${options.publicUrl ?? originOf(request.url)}${options.basePath}/v1/Services`,
    destroy: () => context.env.outgoing?.destroy(),
  })
}

function serviceSidOf(segment: string, { services }: ResolvedGatewayOptions): string {
  const given = decodeSegment(segment)
  const [first] = services.keys()
  const sid = given === 'default' ? first : given
  if (sid === undefined || !services.has(sid)) throw new ApiError('notFound')
  return sid
}

/** Of a URL that has been parsed before. */
function originOf(url: string): string {
  return url.slice(0, url.indexOf('/', url.indexOf('://') + 3))
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

function healthOf({ services }: ResolvedGatewayOptions, isClosed: boolean): Response {
  const statuses = [...services.values()].map((hub) => hub.status)
  const isUp = !isClosed && statuses.every((status) => status === 'up' || status === 'local')
  return jsonResponse({ status: isUp ? 'up' : 'down' }, isUp ? 200 : 503)
}
