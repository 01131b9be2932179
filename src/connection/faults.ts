import { messageOf, RivuletError } from '../model/errors.ts'

/** Makes an error of a connection or a join that failed and is tried again. */
export function failure(
  code: 'TRANSPORT_FAILED' | 'TRANSPORT_UNAVAILABLE',
  what: string,
  cause: unknown,
): RivuletError {
  return new RivuletError(code, `${what}: ${messageOf(cause).replace(/\.$/, '')}. Trying again.`, { cause })
}

/** Makes an error of what a method of a transport must not throw. */
export function threw(method: string, cause: unknown): RivuletError {
  const message = `The transport's ${method} threw; report it to its maker.`
  return new RivuletError('TRANSPORT_FAILED', message, { cause })
}

/** Makes an error of what a transport reports; an adapter that knows more has made one. */
export function reported(cause: unknown): RivuletError {
  if (RivuletError.is(cause)) return cause
  return new RivuletError('TRANSPORT_FAILED', `The broker refused: ${messageOf(cause)}`, { cause })
}
