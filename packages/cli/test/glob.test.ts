import { expect, test } from 'vitest'
import { globOf } from '../src/base/glob.ts'

test.each([
  [undefined, ['', 'a'], []],
  ['', [''], ['a']],
  ['*', ['', 'a', '*', 'two\nlines'], []],
  ['a*', ['a', 'ab', 'a*'], ['', 'ba']],
  ['*a', ['a', 'ba', 'aba'], ['ab']],
  ['a*b*c', ['abc', 'a1b2c', 'abcbc', 'abbcc'], ['acb', 'abcd', 'ab']],
  ['**a**', ['a', 'bab'], ['b', '']],
  ['x?', ['x1', 'x*', 'x\u{1F30A}'], ['x', 'x12', 'y1']],
  ['a?*?b', ['a12b', 'a123b', 'abbb'], ['a1b', 'ab']],
  ['a.(b)[c]$', ['a.(b)[c]$'], ['ax(b)[c]$']],
])('the pattern %j fits %j, and not %j', (pattern, fitting, others) => {
  const isWanted = globOf(pattern)
  expect([...fitting, ...others].filter(isWanted)).toEqual(fitting)
})

test('a name made to be slow is tried in few steps', () => {
  const isWanted = globOf(`${'*a'.repeat(20)}*b`)
  expect(isWanted('a'.repeat(250))).toBe(false)
  expect(isWanted(`${'a'.repeat(250)}b`)).toBe(true)
})
