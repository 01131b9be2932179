import { expect, onTestFinished, test } from 'vitest'
import { unref } from '../../src/base/unref.ts'

test('takes the timers of browsers, which are numbers', () => {
  expect(unref(7)).toBeUndefined()
})

test('lets the process end although a timer of Node runs', () => {
  const timer = setTimeout(() => {}, 60_000)
  onTestFinished(() => clearTimeout(timer))
  unref(timer)
  expect(timer.hasRef()).toBe(false)
})
