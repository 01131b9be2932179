import {
  type Answer,
  problemAnswer as answerBy,
  type Problem,
  PROBLEMS as SERVING,
  type WriteProblem,
  writtenOnce,
} from '@rivulet/gateway/protocol'

/** The problems of the gateway, and Twilio's own. Messages are fixed: they repeat nothing of a request. */
export const PROBLEMS = {
  ...SERVING,
  listenBySse: {
    code: 20004,
    status: 405,
    message:
      'Messages are not stored and cannot be read back. Listen with the header "Accept: text/event-stream", or publish with POST.',
  },
  badPage: {
    code: 20001,
    status: 400,
    message: 'Invalid page. PageSize is an integer from 1 to 100; use the page URLs as they are given.',
  },
  tooManyStreams: {
    code: 20429,
    status: 429,
    message:
      'The service has as many streams as it may have; remove some, or see limits.streams.maxPerService',
  },
  tooManyCreations: {
    code: 54009,
    status: 429,
    message: 'Rate limit exceeded: too many streams are created; see limits.streams.creationsPerSecond',
  },
  notAForm: {
    code: 20001,
    status: 415,
    message: 'The body must be a form: application/x-www-form-urlencoded',
  },
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

/** Writes the body of Twilio's response to an error. */
export const writeProblem: WriteProblem = writtenOnce(({ code, status, message }) =>
  JSON.stringify({ code, message, more_info: `https://www.twilio.com/docs/errors/${code}`, status }),
)

/** Returns the response to a request that failed, as Twilio sends it. */
export function problemAnswer(problem: Problem, headers?: Readonly<Record<string, string>>): Answer {
  return answerBy(problem, headers, writeProblem)
}
