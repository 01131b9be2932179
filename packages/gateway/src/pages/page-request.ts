import { type Access, headOf, isCrossSite } from '../access/authentication.ts'
import { openAccess } from '../access/open-access.ts'
import { type Answer, problemAnswer } from '../base/answer.ts'
import { ApiError, PROBLEMS, type Problem } from '../base/problem.ts'

/** The parts of a request for a WebSocket that are looked at before it becomes one. A web `Request` fits. */
export type PageRequest = Pick<Request, 'url' | 'headers'>

/** The settings that decide which pages may connect. */
interface PageRequestOptions extends Access {
  readonly allowedHosts: readonly string[]
}

/**
 * Makes the check of requests for a page's WebSocket, which gives the answer to one that is refused. Browsers let a page
 * of any site open a WebSocket to anywhere, and say where the page comes from.
 */
export function pageCheck(options: PageRequestOptions): (request: PageRequest) => Answer | undefined {
  const checkOpen = options.isOpen ? openAccess(options.allowedHosts, options.corsOrigins) : undefined
  return (request) => {
    const problem = problemOf(request, options, checkOpen)
    return problem === undefined ? undefined : problemAnswer(problem)
  }
}

function problemOf(
  request: PageRequest,
  options: PageRequestOptions,
  checkOpen: ReturnType<typeof openAccess> | undefined,
): Problem | undefined {
  if (!URL.canParse(request.url)) return PROBLEMS.badRequest
  if (checkOpen === undefined)
    return isCrossSite(headOf(request, undefined), options) ? PROBLEMS.otherOrigin : undefined
  try {
    checkOpen(request)
    return undefined
  } catch (error) {
    return ApiError.is(error) ? error.problem : PROBLEMS.internal
  }
}
