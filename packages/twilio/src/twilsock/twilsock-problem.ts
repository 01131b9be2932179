import { type Answer, ApiError, type Problem, textAnswer } from '@rivulet/gateway/protocol'
import { PROBLEMS, problemAnswer, writeProblem } from '../base/problem.ts'
import { isStreamSid } from '../registry/stream-record.ts'

/** The problems that client SDKs get in another form than users of the REST API, or in addition. */
export const TWILSOCK_PROBLEMS = {
  unknownName: { status: 404, code: 54300, message: 'Unique name not found' },
  unknownSid: { status: 404, code: 54250, message: 'Message Stream not found' },
  forbidden: { status: 403, code: 54007, message: 'Access forbidden for identity' },
  noData: { status: 400, code: 54251, message: 'Data is missing. It is an object.' },
  tooManySubscriptions: {
    status: 403,
    code: 54419,
    message:
      'The connection has as many subscriptions as it may have; close some streams, or see limits.sdk.maxSubscriptions',
  },
  badSubscription: { status: 400, code: 20001, message: 'The request for subscriptions cannot be read' },
  // Of 429 alone the SDK asks again within moments; after 503 it would wait for seconds.
  subscribeLater: { status: 429, code: 20503, message: 'Subscribing is not possible now; try again later' },
  tooManyRequests: {
    status: 429,
    code: 20429,
    message: 'Too many requests of this connection wait for an answer; send fewer at once',
  },
  // 501 is not retried, and not taken for an object that is to be created.
  notServed: {
    status: 501,
    code: 20501,
    message: 'Only Message Streams are served here: no Documents, Lists, Maps or queries',
  },
} as const satisfies Record<string, Problem>

/** Gives the answer to a request that failed so. */
export function answerWithProblem(problem: Problem): Answer {
  return textAnswer(writeProblem(problem), problem.status)
}

/** Gives the answer to an error about the stream of that id, or `undefined` for one that is not about the request. */
export function answerToStreamError(error: unknown, streamId: string | undefined): Answer | undefined {
  if (!ApiError.is(error)) return undefined
  if (error.problem === PROBLEMS.notFound) return answerWithProblem(unknownStream(streamId ?? ''))
  const { forbidden, noData } = TWILSOCK_PROBLEMS
  if (error.problem === PROBLEMS.forbidden) return answerWithProblem(forbidden)
  if (error.problem === PROBLEMS.noData) return answerWithProblem(noData)
  return problemAnswer(error.problem, error.headers)
}

/** Names the id that was not found. */
function unknownStream(id: string): Problem {
  return isStreamSid(id) ? TWILSOCK_PROBLEMS.unknownSid : TWILSOCK_PROBLEMS.unknownName
}

/** The status of an answer, on the level of Twilsock. SDKs know some by the exact text of `status`. */
export interface TwilsockStatus {
  readonly code: number
  readonly status: string
  readonly description?: string
  readonly errorCode?: number
}

/** Texts and numbers are those of Twilio, on which its SDKs act. */
export const STATUS = {
  ok: { code: 200, status: 'OK' },
  badRequest: { code: 400, status: 'BAD_REQUEST', description: 'The request cannot be read' },
  invalidToken: {
    code: 401,
    status: 'UNAUTHORIZED',
    description: 'Invalid Access Token',
    errorCode: 20101,
  },
  expiredToken: {
    code: 401,
    status: 'UNAUTHORIZED',
    description: 'Access Token expired or expiration date invalid',
    errorCode: 20104,
  },
  otherIdentity: {
    code: 401,
    status: 'UNAUTHORIZED',
    description: "Can't update token, new token was issued for other identity/instance/product.",
    errorCode: 51215,
  },
  notInitialized: { code: 401, status: 'UNAUTHORIZED', description: 'The first request is init' },
  notAFrame: {
    code: 406,
    status: 'NOT_ACCEPTABLE_MESSAGE',
    description: 'Not acceptable message',
    errorCode: 51214,
  },
  tooManyRequests: {
    code: 429,
    status: 'TOO_MANY_REQUESTS',
    description: 'Too many requests wait for an answer',
    errorCode: 51202,
  },
  tooManyConnections: {
    code: 429,
    status: 'TOO_MANY_REQUESTS',
    description: 'Too many connections of this identity',
    errorCode: 51202,
  },
} as const satisfies Record<string, TwilsockStatus>
