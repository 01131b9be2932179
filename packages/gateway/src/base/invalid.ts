import { RivuletError } from 'rivulet'

/** Makes the error for an unusable option. The message holds no secret. */
export function invalid(message: string): RivuletError {
  return new RivuletError('INVALID_OPTIONS', message)
}
