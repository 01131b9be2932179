import { afterEach, describe, expect, test, vi } from 'vitest'
import { realEnvironment } from '../../src/base/environment.ts'
import { after } from '../../src/base/timer.ts'
import { stopTime } from '../support/fake-time.ts'

stopTime()
afterEach(() => vi.restoreAllMocks())

const start = (waitMs: number, action: () => void, holdsProcess = true) =>
  after(realEnvironment, waitMs, action, holdsProcess)

describe('a wait', () => {
  // A part of a millisecond is waited for, a time that has passed is not.
  test.each([
    [10, 10],
    [10.5, 11],
    [0.1, 1],
    [0, 0],
    [-100, 0],
  ])('of %d ms runs its action once, after %d ms', (waitMs, afterMs) => {
    const action = vi.fn()
    start(waitMs, action)
    expect(action).not.toHaveBeenCalled()
    if (afterMs > 0) vi.advanceTimersByTime(afterMs - 1)
    if (afterMs > 0) expect(action).not.toHaveBeenCalled()
    vi.advanceTimersByTime(1)
    expect(action).toHaveBeenCalledTimes(1)
    vi.advanceTimersByTime(1000)
    expect(action).toHaveBeenCalledTimes(1)
  })

  test.each([
    [2 ** 31 - 1, [2 ** 31 - 1]],
    [2 ** 31, [2 ** 31 - 1, 1]],
    [2 ** 33, [...Array(4).fill(2 ** 31 - 1), 4]],
  ])('of %d ms is made in steps, none longer than a timer can wait', (waitMs, steps) => {
    const action = vi.fn()
    const timeouts = vi.spyOn(globalThis, 'setTimeout')
    start(waitMs, action)
    for (const stepMs of steps.slice(0, -1)) vi.advanceTimersByTime(stepMs)
    vi.advanceTimersByTime((steps.at(-1) as number) - 1)
    expect(action).not.toHaveBeenCalled()
    vi.advanceTimersByTime(1)
    expect(action).toHaveBeenCalledTimes(1)
    expect(timeouts.mock.calls.map(([, stepMs]) => stepMs)).toEqual(steps)
  })

  test('of Infinity never comes, and needs no timer', () => {
    const cancel = start(Infinity, () => expect.fail('called'))
    expect(vi.getTimerCount()).toBe(0)
    cancel()
  })

  test('is called off in every step, and twice', () => {
    const cancel = start(2 ** 32, () => expect.fail('called'))
    vi.advanceTimersByTime(2 ** 31)
    cancel()
    cancel()
    expect(vi.getTimerCount()).toBe(0)
  })

  test('keeps a Node process alive only on request, and works where timers are numbers', () => {
    const unref = vi.fn()
    vi.spyOn(globalThis, 'setTimeout').mockReturnValue({ unref } as never)
    start(1, () => {}, true)
    expect(unref).not.toHaveBeenCalled()
    start(1, () => {}, false)
    expect(unref).toHaveBeenCalledTimes(1)
    vi.spyOn(globalThis, 'setTimeout').mockReturnValue(7 as never)
    expect(() => start(1, () => {}, false)).not.toThrow()
  })
})
