/** The HTTP status of an error, its code, and a sentence for people. */
export interface Problem {
  /** The code in the body; programs compare it. */
  readonly code: number
  /** The status of HTTP. */
  readonly status: number
  /** A fixed sentence. */
  readonly message: string
}

/** The problems of serving. Messages are fixed: nothing of a request is repeated in them. */
export const PROBLEMS = {
  unauthenticated: { code: 20003, status: 401, message: 'Authenticate' },
  methodNotAllowed: {
    code: 20004,
    status: 405,
    message: 'Method not allowed',
  },
  badRequest: { code: 20001, status: 400, message: 'The request cannot be read' },
  headersTooLarge: { code: 20001, status: 431, message: 'The URL or the headers are too large' },
  timedOut: { code: 20001, status: 408, message: 'The request took too long' },
  badExpectation: {
    code: 20001,
    status: 417,
    message: 'The header Expect can only be "100-continue"',
  },
  forbidden: { code: 20403, status: 403, message: 'The credentials do not allow this' },
  foreignSite: {
    code: 20403,
    status: 403,
    message:
      'Without keys only this machine and its own pages may ask; see --open, --cors and --allowed-host',
  },
  forwarded: {
    code: 20403,
    status: 403,
    message:
      'Without keys (--open) only programs on this machine may ask, and a proxy has forwarded this; give the gateway keys',
  },
  crossSite: {
    code: 20403,
    status: 403,
    message:
      'A page of another site may not ask with a key; list its origin (--cors, corsOrigins), or let it use a token',
  },
  otherOrigin: {
    code: 20403,
    status: 403,
    message: 'Pages of this origin may not connect; list it (--cors, corsOrigins)',
  },
  upgradeRequired: { code: 20001, status: 426, message: 'Connect by a WebSocket here' },
  notFound: { code: 20404, status: 404, message: 'The requested resource was not found' },
  tooManyListeners: {
    code: 20429,
    status: 429,
    message: 'This key has as many listeners as it may have; close one first',
  },
  tooManyListenersOfHolder: {
    code: 20429,
    status: 429,
    message: 'This token or identity has as many listeners as it may have; close one first',
  },
  listensAlready: {
    code: 20429,
    status: 429,
    message: 'A connection has one event stream at a time; open another connection',
  },
  tooManyFailures: {
    code: 20429,
    status: 429,
    message: 'Too many wrong passwords; correct the credentials and try again later',
  },
  bodyTaken: {
    code: 20500,
    status: 500,
    message: 'The body was read before the gateway could; mount the gateway before body parsers',
  },
  internal: { code: 20500, status: 500, message: 'Internal server error' },
  unavailable: { code: 20503, status: 503, message: 'Service unavailable; try again later' },
} as const satisfies Record<string, Problem>

// By a symbol that all builds share: of a package in CommonJS each entry has a class of its own.
const IS_API_ERROR = Symbol.for('rivulet.gateway.ApiError')

/** Thrown by a handler: the request is answered with that problem. */
export class ApiError extends Error {
  readonly [IS_API_ERROR] = true
  /** The problem to answer with. */
  readonly problem: Problem
  /** Headers of the answer beside those of every answer, in lower case. */
  readonly headers: Readonly<Record<string, string>>

  constructor(problem: Problem, headers: Readonly<Record<string, string>> = {}) {
    super(problem.message)
    this.problem = problem
    this.headers = headers
  }

  /** Returns whether a value is one, also of another build of this package. */
  static is(value: unknown): value is ApiError {
    return typeof value === 'object' && value !== null && IS_API_ERROR in value
  }
}

/** Writes the body of the response to a request that failed. */
export type WriteProblem = (problem: Problem) => string

/** Writes a problem as JSON, each once: a flood of refusals makes no texts. */
export const writeProblem: WriteProblem = writtenOnce(({ code, status, message }) =>
  JSON.stringify({ code, message, status }),
)

/** Keeps the text that a function has written for each problem. */
export function writtenOnce(write: WriteProblem): WriteProblem {
  const texts = new WeakMap<Problem, string>()
  return (problem) => {
    const known = texts.get(problem)
    if (known !== undefined) return known
    const text = write(problem)
    texts.set(problem, text)
    return text
  }
}
