import { RivuletError } from 'rivulet'

/** Makes an `INVALID_OPTIONS`. The message must hold nothing that could be a secret. */
export function invalid(message: string): RivuletError {
  return new RivuletError('INVALID_OPTIONS', `@rivulet/mqtt: ${message}`)
}
