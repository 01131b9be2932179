import { RivuletError } from 'rivulet'
import type { GatewayLog } from '../base/gateway-log.ts'
import { ApiError, problemResponse } from '../base/problem.ts'

/** Answers a request whatever happens: what a handler throws becomes a problem. Writes a line about it. */
export async function answerOf(
  log: GatewayLog,
  route: string,
  request: Request,
  handle: () => Response | Promise<Response>,
): Promise<Response> {
  let response: Response
  try {
    response = await handle()
  } catch (error) {
    response = responseTo(error, log, route)
  }
  // No path, query or header: there may be a token in each.
  log.debug({ route, method: request.method, status: response.status }, 'answered')
  return response
}

function responseTo(error: unknown, log: GatewayLog, route: string): Response {
  if (error instanceof ApiError) return problemResponse(error.problem, error.headers)
  const code = codeOf(error)
  if (code === 'HUB_CLOSED' || code === 'TRANSPORT_UNAVAILABLE') {
    log.warn({ route, code }, 'unavailable')
    return problemResponse('unavailable', { 'retry-after': '2' })
  }
  // Neither the message nor the stack: they may hold a part of the request.
  log.error({ route, code }, 'failed')
  return problemResponse('internal')
}

function codeOf(error: unknown): string {
  if (RivuletError.is(error)) return error.code
  if (typeof error !== 'object' || error === null) return typeof error
  const { code, name } = error as { code?: unknown; name?: unknown }
  return typeof code === 'string' ? code : String(name)
}
