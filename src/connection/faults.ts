import { messageOf, RivuletError } from '../errors/errors.ts'

/** Makes the error of a connection or a join that failed and is tried again. */
export function failure(
  code: 'TRANSPORT_FAILED' | 'TRANSPORT_UNAVAILABLE',
  what: string,
  cause: unknown,
): RivuletError {
  return new RivuletError(code, `${what}: ${messageOf(cause).replace(/\.$/, '')}. Trying again.`, { cause })
}

/** Makes the error for a method of a transport that threw and must not. */
export function threw(method: string, cause: unknown): RivuletError {
  const message = `The transport's ${method} threw; report it to its maker.`
  return new RivuletError('TRANSPORT_FAILED', message, { cause })
}

/** Makes the error for a cause that a transport reports; an adapter may have made it already. */
export function reported(cause: unknown): RivuletError {
  if (RivuletError.is(cause)) return cause
  return new RivuletError('TRANSPORT_FAILED', `The broker refused: ${messageOf(cause)}`, { cause })
}
