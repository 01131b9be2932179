import { RivuletError } from 'rivulet'
import { type Answer, answerToError, problemAnswer, unavailableAnswer } from './answer.ts'
import type { GatewayLog } from './gateway-log.ts'

/** The fields of the log's line about a request. */
export interface LogLine {
  readonly route: string
  readonly method: string
  /** The sid of the key, once it is known. */
  key?: string
  /** The identity in an access token, once it is known. */
  identity?: string | undefined
}

/** Answers a request whatever happens: what a handler throws becomes a problem. Writes a line about it. */
export async function answerWith(
  log: GatewayLog,
  line: LogLine,
  handle: () => Answer | Promise<Answer>,
): Promise<Answer> {
  let answer: Answer
  try {
    answer = await handle()
  } catch (error) {
    answer = answerToError(error) ?? answerToFailure(error, log, line.route)
  }
  // No path, query or header: there may be a token in each.
  log.debug({ ...line, status: answer.status }, 'answered')
  return answer
}

function answerToFailure(error: unknown, log: GatewayLog, route: string): Answer {
  const code = codeOf(error)
  if (code === 'HUB_CLOSED' || code === 'TRANSPORT_UNAVAILABLE') {
    log.warn({ route, code }, 'unavailable')
    return unavailableAnswer()
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
