import fc from 'fast-check'
import { expect, test } from 'vitest'
import { matches } from '../../src/access/grant.ts'

test.each([
  ['*', '', true],
  ['', '', true],
  ['', 'a', false],
  ['a', 'a', true],
  ['a*', 'a', true],
  ['a*a', 'a', false],
  ['a*a', 'aa', true],
  ['a*b*c', 'a-b-c', true],
  ['a*b*c', 'a-c-b', false],
  ['*b*', 'abc', true],
  ['a**c', 'abc', true],
  ['*ab*ab', 'ab', false],
  ['a.c', 'abc', false],
])('the pattern %j takes %j: %s', (pattern, text, expected) => {
  expect(matches(pattern, text)).toBe(expected)
})

test('a pattern takes what a regular expression would', () => {
  const letters = fc.string({ unit: fc.constantFrom('a', 'b', '*'), maxLength: 8 })
  fc.assert(
    fc.property(letters, fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 10 }), (pattern, text) => {
      const expression = new RegExp(`^${pattern.replaceAll('*', '.*')}$`)
      expect(matches(pattern, text)).toBe(expression.test(text))
    }),
    { numRuns: 2000 },
  )
})

test('a pattern of many stars takes no time', () => {
  const startMs = performance.now()
  expect(matches(`${'a*'.repeat(150)}b`, 'a'.repeat(320))).toBe(false)
  expect(performance.now() - startMs).toBeLessThan(50)
})
