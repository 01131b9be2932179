import { type Access, basicCaller } from '../access/authentication.ts'
import type { NoteForwarding } from '../access/open-access.ts'
import { type Answer, answerWith, failed, type LogLine, unavailable } from '../base/answer.ts'
import type { Protocol, ProtocolRoute, TextRoute } from './protocol.ts'

/** The head of a `POST` as a server has read it, without a web `Request`. */
export interface DirectRequest {
  /** The path, as in the request line. */
  readonly target: string
  /** The address from which the connection comes. */
  readonly clientAddress?: string | undefined
  /** Gives a header by its name in lower case. */
  header(name: string): string | undefined
}

/** Takes the body as UTF-8 text, and answers. Never throws or rejects. */
export type TakeBody = (text: string) => Answer | Promise<Answer>

/**
 * Checks the head of a request. Gives the function that takes its body, or the answer when the body is not wanted,
 * or `undefined` for a request that `fetch` has to answer. Never throws.
 */
export type DirectPublish = (request: DirectRequest) => TakeBody | Answer | undefined

/** The gateway around the routes. */
interface Surroundings {
  readonly protocol: Protocol | undefined
  readonly isClosed: () => boolean
  readonly noteForwarding: NoteForwarding
}

interface DirectRoute {
  readonly name: string
  /** Of the path; a parameter begins with a colon. */
  readonly segments: readonly string[]
  readonly text: TextRoute
}

// What a URL may hold without being rewritten by its parser; a segment of dots would be.
const PLAIN_TARGET = /^(?:\/(?!\.)[\w%~!$&'()*+,;=:@.-]+)+$/

/**
 * Answers by the routes of the protocol that take a text, without a web `Request`, `Response` or router, under the
 * rules of every other request. Only for callers with HTTP Basic, which is what server SDKs send.
 */
export function makeDirectPublish(
  options: Access & { readonly basePath: string },
  { protocol, isClosed, noteForwarding }: Surroundings,
): DirectPublish {
  const { basePath, isOpen, log } = options
  const routes = protocol === undefined || isOpen ? [] : directRoutes(protocol.routes)
  const write = protocol?.writeProblem
  return ({ target, clientAddress, header }) => {
    const authorization = header('authorization')
    if (!authorization?.startsWith('Basic ') || !PLAIN_TARGET.test(target)) return undefined
    const path = target.startsWith(basePath) ? target.slice(basePath.length) : ''
    const route = routeOf(path, routes)
    if (route === undefined || !isPlain(header, route.text.maxBytes)) return undefined
    const line: LogLine = { route: route.name, method: 'POST' }
    try {
      if (isClosed()) throw unavailable()
      noteForwarding(header)
      const head = { url: target, clientAddress, header }
      const caller = basicCaller(authorization, options, head, Date.now())
      line.key = caller.keySid
      const take = route.text.begin({ caller, path, contentType: header('content-type') ?? null })
      return (text) => answerWith(log, line, () => take(text), write)
    } catch (error) {
      return failed(log, line, error, write)
    }
  }
}

function directRoutes(routes: readonly ProtocolRoute[]): readonly DirectRoute[] {
  return routes.flatMap(({ method, path, name, text }) => {
    if (method !== 'POST' || text === undefined) return []
    return [{ name, segments: path.split('/'), text }]
  })
}

function routeOf(path: string, routes: readonly DirectRoute[]): DirectRoute | undefined {
  const given = path.split('/')
  return routes.find(({ segments }) => {
    if (segments.length !== given.length) return false
    return segments.every((segment, index) => segment.startsWith(':') || segment === given[index])
  })
}

/** A browser's request goes by `fetch`, where its origin is checked, and so does a body of unknown length. */
function isPlain(header: DirectRequest['header'], maxBytes: number): boolean {
  const isShort = Number(header('content-length')) <= maxBytes
  return isShort && header('origin') === undefined && header('sec-fetch-site') === undefined
}
