import { createHub } from 'rivulet'
import { expect, onTestFinished, test, vi } from 'vitest'
import { stopTime } from '../support/fake-time.ts'

stopTime()

test('errors without a listener take a line a minute, which has their number', () => {
  const onConsole = vi.spyOn(console, 'error').mockImplementation(() => {})
  onTestFinished(() => onConsole.mockRestore())
  const stream = createHub().stream('s', { limit: false })
  stream.subscribe(() => {
    throw new Error('mine')
  })
  for (let n = 0; n < 5; n++) stream.publish({ n })
  vi.advanceTimersByTime(59_999)
  stream.publish({ n: 5 })
  expect(onConsole).toHaveBeenCalledTimes(1)
  vi.advanceTimersByTime(1)
  stream.publish({ n: 6 })
  expect(onConsole).toHaveBeenCalledTimes(2)
  expect(onConsole.mock.calls[1]?.[0]).toContain('(5 more since the last line)')
})
