import { ApiError, PROBLEMS, type ProblemName, problemBody } from './problem.ts'

/** What a request is answered with, before a server of some kind writes it. */
export interface Answer {
  /** The status of HTTP. */
  readonly status: number
  /** Names are in lower case. */
  readonly headers: Headers
  /** A stream is an answer that goes on; `null` is none. */
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
export function problemAnswer(problem: ProblemName, headers?: Headers): Answer {
  const { status } = PROBLEMS[problem]
  const all = headers === undefined ? JSON_HEADERS : { ...JSON_HEADERS, ...headers }
  return { status, headers: all, body: problemBody(problem) }
}

/** Answers while the gateway or its broker is away. */
export function unavailableAnswer(): Answer {
  return problemAnswer('unavailable', { 'retry-after': '2' })
}

/** Gives the answer to an error that a handler threw, or `undefined` for one that is not about the request. */
export function answerToError(error: unknown): Answer | undefined {
  return error instanceof ApiError ? problemAnswer(error.problem, error.headers) : undefined
}

/** Makes a web response of an answer. */
export function responseOf({ status, headers, body }: Answer): Response {
  return new Response(body, { status, headers })
}
