import { expect, test } from 'vitest'
import { unref } from '../../src/base/unref.ts'

test('takes the timers of browsers, which are numbers', () => {
  expect(unref(7)).toBeUndefined()
})
