import { expect, test } from 'vitest'
import { refusalOf } from '../src/refusal.ts'

test('the error of several servers reads the same in whichever order they were tried', () => {
  const failures = ['a:1', 'b:2', 'c:3'].map((server) => ({ server, cause: new Error(`no ${server}`) }))
  expect(refusalOf([...failures].reverse()).message).toBe(refusalOf(failures).message)
})
