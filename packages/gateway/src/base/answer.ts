import { RivuletError } from 'rivulet'
import type { GatewayLog } from './gateway-log.ts'
import { ApiError, PROBLEMS, type Problem, type WriteProblem, writeProblem } from './problem.ts'

/** An answer to a request, before a server writes it. */
export interface Answer {
  /** The status of HTTP. */
  readonly status: number
  /** Names are in lower case. */
  readonly headers: Headers
  /** A stream for an event stream; `null` without a body. */
  readonly body: string | ReadableStream<Uint8Array> | null
}

type Headers = Readonly<Record<string, string>>

/** Headers of every answer of the API: do not store it, do not guess its type. */
const EVERY_ANSWER: Headers = { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' }
const JSON_HEADERS: Headers = { 'content-type': 'application/json', ...EVERY_ANSWER }

/** Answers with JSON. */
export function jsonAnswer(body: unknown, status: number): Answer {
  return textAnswer(JSON.stringify(body), status)
}

/** Answers with a text that is JSON already. */
export function textAnswer(body: string, status: number): Answer {
  return { status, headers: JSON_HEADERS, body }
}

/** Answers without a body. */
export function emptyAnswer(status: number): Answer {
  return { status, headers: EVERY_ANSWER, body: null }
}

/** Answers with something else than JSON. */
export function otherAnswer(body: Answer['body'], headers: Headers): Answer {
  return { status: 200, headers: { ...EVERY_ANSWER, ...headers }, body }
}

/** Answers a request that failed. */
export function problemAnswer(problem: Problem, headers?: Headers, write = writeProblem): Answer {
  const all = headers === undefined ? JSON_HEADERS : { ...JSON_HEADERS, ...headers }
  return { status: problem.status, headers: all, body: write(problem) }
}

/** Makes the error of a gateway that is away, or whose broker is. */
export function unavailable(): ApiError {
  return new ApiError(PROBLEMS.unavailable, { 'retry-after': '2' })
}

/** Makes a web response of an answer. */
export function responseOf({ status, headers, body }: Answer): Response {
  return new Response(body, { status, headers })
}

/** The fields of the log's line about a request. */
export interface LogLine {
  /** The name of the route. */
  readonly route: string
  /** The method of the request. */
  readonly method: string
  /** The sid of the key, once it is known. */
  key?: string | undefined
  /** The identity in an access token, once it is known. */
  identity?: string | undefined
  /** The status of the answer, at the end. */
  status?: number | undefined
}

/** Runs a handler, turns a thrown error into an answer, and logs one line. `write` writes the body of an error. */
export function answerWith(
  log: GatewayLog,
  line: LogLine,
  handle: () => Answer | Promise<Answer>,
  write: WriteProblem = writeProblem,
): Answer | Promise<Answer> {
  try {
    const answer = handle()
    if (!(answer instanceof Promise)) return logged(log, line, answer)
    return answer.then(
      (given) => logged(log, line, given),
      (error) => failed(log, line, error, write),
    )
  } catch (error) {
    return failed(log, line, error, write)
  }
}

/** Answers a request whose handler has thrown, and logs its line. */
export function failed(log: GatewayLog, line: LogLine, error: unknown, write = writeProblem): Answer {
  const { problem, headers } = ApiError.is(error) ? error : errorOfFailure(error, log, line.route)
  return logged(log, line, problemAnswer(problem, headers, write))
}

/** No path, query or header: there may be a token in each. */
function logged(log: GatewayLog, line: LogLine, answer: Answer): Answer {
  line.status = answer.status
  log.debug(line, 'answered')
  return answer
}

function errorOfFailure(error: unknown, log: GatewayLog, route: string): ApiError {
  const code = codeOf(error)
  if (code === 'HUB_CLOSED' || code === 'TRANSPORT_UNAVAILABLE') {
    log.warn({ route, code }, 'unavailable')
    return unavailable()
  }
  // Neither the message nor the stack: they may hold a part of the request.
  log.error({ route, code }, 'failed')
  return new ApiError(PROBLEMS.internal)
}

/** Names an error by its code or class; its message may hold anything. */
export function codeOf(error: unknown): string {
  if (RivuletError.is(error)) return error.code
  if (typeof error !== 'object' || error === null) return typeof error
  const { code, name } = error as { code?: unknown; name?: unknown }
  return typeof code === 'string' ? code : String(name)
}
