import { RivuletError } from 'rivulet'
import { type Answer, answerToError, problemAnswer } from './answer.ts'
import type { GatewayLog } from './gateway-log.ts'

/** Answers a request whatever happens: what a handler throws becomes a problem. Writes a line about it. */
export async function answerWith(
  log: GatewayLog,
  route: string,
  method: string,
  handle: () => Answer | Promise<Answer>,
): Promise<Answer> {
  let answer: Answer
  try {
    answer = await handle()
  } catch (error) {
    answer = answerToError(error) ?? answerToFailure(error, log, route)
  }
  // No path, query or header: there may be a token in each.
  log.debug({ route, method, status: answer.status }, 'answered')
  return answer
}

function answerToFailure(error: unknown, log: GatewayLog, route: string): Answer {
  const code = codeOf(error)
  if (code === 'HUB_CLOSED' || code === 'TRANSPORT_UNAVAILABLE') {
    log.warn({ route, code }, 'unavailable')
    return problemAnswer('unavailable', { 'retry-after': '2' })
  }
  // Neither the message nor the stack: they may hold a part of the request.
  log.error({ route, code }, 'failed')
  return problemAnswer('internal')
}

function codeOf(error: unknown): string {
  if (RivuletError.is(error)) return error.code
  if (typeof error !== 'object' || error === null) return typeof error
  const { code, name } = error as { code?: unknown; name?: unknown }
  return typeof code === 'string' ? code : String(name)
}
