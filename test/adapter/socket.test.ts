import { resetAtEnd } from 'rivulet/adapter'
import { expect, test } from 'vitest'

/** A socket that notes how it was closed. */
function socket(remoteFamily: string | undefined) {
  const calls: string[] = []
  const made = {
    remoteFamily,
    destroy(error?: Error) {
      calls.push(error ? `destroy ${error.message}` : 'destroy')
      return made
    },
    resetAndDestroy() {
      calls.push('reset')
      return made.destroy()
    },
  }
  return { made, calls }
}

test.each([
  ['is reset when it is closed', 'IPv4', undefined, ['reset', 'destroy']],
  ['is destroyed with an error', 'IPv4', new Error('gone'), ['destroy gone']],
  ['of no family can only be destroyed', undefined, undefined, ['destroy']],
])('a socket %s', (_, family, error, expected) => {
  const { made, calls } = socket(family)
  resetAtEnd(made as unknown as Parameters<typeof resetAtEnd>[0])
  made.destroy(error)
  expect(calls).toEqual(expected)
})
