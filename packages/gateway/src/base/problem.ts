/** One of Twilio's error codes, with the HTTP status and the sentence that belong to it. */
export interface Problem {
  readonly code: number
  readonly status: number
  readonly message: string
}

/** What can go wrong with a request. Messages are fixed: nothing of a request is repeated in them. */
export const PROBLEMS = {
  unauthenticated: { code: 20003, status: 401, message: 'Authenticate' },
  methodNotAllowed: {
    code: 20004,
    status: 405,
    message: 'Method not allowed',
  },
  listenBySse: {
    code: 20004,
    status: 405,
    message:
      'Messages are not stored and cannot be read back. Listen with the header "Accept: text/event-stream", or publish with POST.',
  },
  badRequest: { code: 20001, status: 400, message: 'The request cannot be read' },
  badPage: {
    code: 20001,
    status: 400,
    message: 'Invalid page. PageSize is an integer from 1 to 100; use the page URLs as they are given.',
  },
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
  tooManyStreams: {
    code: 20429,
    status: 429,
    message: 'The service has as many streams as it may have; remove some, or see maxStreamsPerService',
  },
  tooManyCreations: {
    code: 54009,
    status: 429,
    message: 'Rate limit exceeded: too many streams are created; see creationsPerSecond',
  },
  notAForm: {
    code: 20001,
    status: 415,
    message: 'The body must be a form: application/x-www-form-urlencoded',
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
  tooLarge: { code: 54006, status: 413, message: 'Request entity too large' },
  badJson: { code: 54008, status: 400, message: 'Invalid JSON. Data is the JSON text of an object.' },
  wrongSchema: { code: 54008, status: 400, message: 'Invalid JSON. Data does not match the stream.' },
  rateLimited: { code: 54009, status: 429, message: 'Rate limit exceeded' },
  noParameters: { code: 54010, status: 400, message: 'Ttl is missing; there is nothing else to update' },
  badTtl: {
    code: 54011,
    status: 400,
    message: 'Invalid TTL. It must either be empty or an integer between 0 and 31 536 000',
  },
  noData: {
    code: 54251,
    status: 400,
    message: 'Data is missing. It is a field of a form (application/x-www-form-urlencoded).',
  },
  nameTaken: { code: 54301, status: 409, message: 'Unique name already exists' },
  badName: {
    code: 54302,
    status: 400,
    message:
      'Invalid unique name. Expected a string with length 1-320 not matching the SID pattern [A-Z]{2}[a-f0-9]{32}',
  },
} as const satisfies Record<string, Problem>

/** The name of a problem. */
export type ProblemName = keyof typeof PROBLEMS

/** Thrown by a handler: the request is answered with that problem. */
export class ApiError extends Error {
  readonly problem: ProblemName
  readonly headers: Readonly<Record<string, string>>

  constructor(problem: ProblemName, headers: Readonly<Record<string, string>> = {}) {
    super(PROBLEMS[problem].message)
    this.problem = problem
    this.headers = headers
  }
}

/** Each body is written once: a flood of refusals makes no texts. */
const BODIES: ReadonlyMap<string, string> = new Map(
  Object.entries(PROBLEMS).map(([name, problem]) => [name, writeProblem(problem)]),
)

/** Gives the body that Twilio answers an error with. */
export function problemBody(problem: ProblemName): string {
  return BODIES.get(problem) as string
}

/** Writes the body that Twilio answers an error with. */
export function writeProblem({ code, status, message }: Problem): string {
  const more_info = `https://www.twilio.com/docs/errors/${code}`
  return JSON.stringify({ code, message, more_info, status })
}
