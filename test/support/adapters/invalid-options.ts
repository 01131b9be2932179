import { inspect } from 'node:util'
import { RivuletError } from 'rivulet'
import { expect } from 'vitest'

/** What no message may show. */
export const SECRET = 'hunter2hunter2'

/** Gives the `INVALID_OPTIONS` that a call throws, in which no secret is to be found. */
export function invalidOptionsOf(call: () => unknown, secret: string | RegExp = SECRET): RivuletError {
  try {
    call()
  } catch (error) {
    if (!RivuletError.is(error)) throw error
    expect(error.code).toBe('INVALID_OPTIONS')
    expect(shownBy(error)).not.toMatch(secret)
    return error
  }
  throw new Error('A RivuletError was expected.')
}

/** Everything that a log may show of a value. */
export function shownBy(value: unknown): string {
  const stack = value instanceof Error ? value.stack : ''
  return [inspect(value, { depth: 9, showHidden: true }), JSON.stringify(value), stack].join('\n')
}
