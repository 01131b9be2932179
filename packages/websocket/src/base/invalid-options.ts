import { RivuletError } from 'rivulet'

/** Makes the error for options that cannot be used. */
export function invalidOptions(message: string): RivuletError {
  return new RivuletError('INVALID_OPTIONS', message)
}
