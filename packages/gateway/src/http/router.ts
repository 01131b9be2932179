import { type Context, Hono } from 'hono'
import { cors } from 'hono/cors'
import type { Hub } from 'rivulet'
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
  unavailable,
} from '../base/answer.ts'
import type { GatewayLog } from '../base/gateway-log.ts'
import { PROBLEMS, type WriteProblem } from '../base/problem.ts'
import type { PageRequest } from '../pages/page-request.ts'
import { type AcceptPage, upgradeRequest } from '../pages/runtime-upgrade.ts'
import type { ClientSocket } from './client-socket.ts'
import { rawPathOf } from './path.ts'
import { PLAYGROUND_PATHS, playgroundFile } from './playground.ts'
import type { Protocol, ProtocolRoute } from './protocol.ts'

/** Options of the router. */
export interface RouterOptions extends Access {
  readonly services: ReadonlyMap<string, Hub>
  readonly allowedHosts: readonly string[]
  readonly basePath: string
  readonly playground: boolean
  /** By the sids of their services. */
  readonly relays: ReadonlyMap<string, unknown>
  readonly log: GatewayLog
}

/** Handlers of the routes. */
export interface Destinations {
  /** The protocol beside pages, if there is one. */
  readonly protocol: Protocol | undefined
  /** Takes pages, where they are served. */
  readonly pages: PageDestination | undefined
  readonly isClosed: () => boolean
  /** Whether load balancers should send requests elsewhere. */
  readonly isDraining: () => boolean
  /** Called with the headers of each request. */
  readonly noteForwarding: NoteForwarding
}

/** The part of the gateway that takes the WebSockets of pages. */
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

/** The path of the WebSockets of pages. */
export const PAGE_PATH = '/rivulet'
/** Everything is up; the process runs; requests are welcome, even if the registry is away. */
export const HEALTH_PATHS = ['/healthz', '/livez', '/readyz'] as const

/** Leads requests to their handlers. */
export function makeRouter(options: RouterOptions, to: Destinations): Hono<Env> {
  const { basePath, corsOrigins } = options
  // Paths are split before they are decoded, since a name may hold a slash.
  const router = new Hono<Env>({ getPath: (request) => rawPathOf(request.url, basePath) })
  if (corsOrigins.length > 0) router.use('*', corsOf(corsOrigins))
  const guarded = guard(options, to)
  const { pages, protocol } = to
  for (const route of protocol?.routes ?? []) {
    const handle: Handler = (context, line) => answerRoute(context, options, line, route)
    router.on(route.method, route.path, guarded(route.name, handle, protocol?.writeProblem))
  }
  for (const path of HEALTH_PATHS) {
    router.get(
      path,
      guarded('health', () => healthOf(path, options, to)),
    )
  }
  const { description } = protocol ?? {}
  if (description !== undefined) {
    router.get(
      '/openapi.json',
      guarded('openapi', () => textAnswer(description, 200)),
    )
  }
  const playground = guarded('playground', ({ req }) => playgroundFile(req.path, pageHubOf(options)))
  for (const path of options.playground ? PLAYGROUND_PATHS : []) router.get(path, playground)
  if (pages !== undefined) router.get(PAGE_PATH, ({ req, env }) => takePage(req.raw, env, pages))
  // Not as routes for all methods: with two routes for a path Hono takes a slower way.
  const unknownRoute: Handler = ({ req }) =>
    protocol?.unknownRoute(req.path) ?? problemAnswer(PROBLEMS.notFound)
  router.notFound(guarded('none', unknownRoute, protocol?.writeProblem))
  router.onError(() => responseOf(problemAnswer(PROBLEMS.internal)))
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

/** Checks what concerns every request, turns what is thrown into an answer, and writes a line about it. */
function guard(options: RouterOptions, to: Destinations) {
  const checkOpen = options.isOpen ? openAccess(options.allowedHosts, options.corsOrigins) : undefined
  return (route: string, handle: Handler, write?: WriteProblem) =>
    async (context: Context<Env>): Promise<Response> => {
      const request = context.req.raw
      const line: LogLine = { route, method: request.method }
      const answer = await answerWith(
        options.log,
        line,
        () => {
          if (to.isClosed()) throw unavailable()
          checkOpen?.(request)
          to.noteForwarding((name) => request.headers.get(name) ?? undefined)
          return handle(context, line)
        },
        write,
      )
      return responseOf(answer)
    }
}

async function answerRoute(
  context: Context<Env>,
  options: RouterOptions,
  line: LogLine,
  route: ProtocolRoute,
): Promise<Answer> {
  const request = context.req.raw
  const found = callerOf(headOf(request, context.env.incoming?.socket?.remoteAddress), options, Date.now())
  const caller = found instanceof Promise ? await found : found
  line.key = caller.keySid
  line.identity = caller.identity
  return route.handle({
    request,
    caller,
    path: context.req.path,
    baseUrl: () => `${options.publicUrl ?? originOf(request.url)}${options.basePath}`,
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
  { services }: RouterOptions,
  { isDraining, pages, protocol }: Destinations,
): Answer {
  const statuses = [...services.values()].map((hub) => hub.status)
  const areHubsUp = statuses.every((status) => status === 'up' || status === 'local')
  const isReady = areHubsUp && !isDraining()
  // While the registry is away, publishing and listening go on for the streams that are known.
  const isUp = { '/livez': true, '/readyz': isReady, '/healthz': isReady && protocol?.status !== 'degraded' }[
    path
  ]
  const body = {
    status: isUp ? 'up' : 'down',
    ...(protocol !== undefined && { registry: protocol.status }),
    ...(pages !== undefined && { pages: pages.counts.pages }),
  }
  return jsonAnswer(body, isUp ? 200 : 503)
}
