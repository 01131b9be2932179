import { getEventListeners } from 'node:events'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { abortable, Overdue, withDeadline } from '../../src/base/deadline.ts'
import { type Environment, realEnvironment } from '../../src/base/environment.ts'
import { stateOf } from '../support/remote-scene.ts'

beforeEach(() => vi.useFakeTimers())
afterEach(() => vi.useRealTimers())

const never = () => new Promise<never>(() => {})

describe('a wait with a deadline', () => {
  test('gives what its task gives, and leaves no timer', async () => {
    await expect(withDeadline(realEnvironment, 'It', 1_000, undefined, async () => 7)).resolves.toBe(7)
    await expect(
      withDeadline(realEnvironment, 'It', 1_000, undefined, () => Promise.reject('no')),
    ).rejects.toBe('no')
    expect(vi.getTimerCount()).toBe(0)
  })

  test('rejects at the deadline although its task ignores the signal, which aborts then', async () => {
    let seen: AbortSignal | undefined
    const wait = withDeadline(realEnvironment, 'It', 1_000, undefined, (signal) => {
      seen = signal
      return never()
    })
    await vi.advanceTimersByTimeAsync(999)
    expect([await stateOf(wait.catch((error) => error)), seen?.aborted]).toEqual(['pending', false])
    await vi.advanceTimersByTimeAsync(1)
    await expect(wait).rejects.toBeInstanceOf(Overdue)
    expect(seen?.reason).toBeInstanceOf(Overdue)
    await expect(wait).rejects.toMatchObject({
      name: 'Overdue',
      message: 'It took more than 1000 ms; check that the broker answers',
    })
  })

  test('rejects with the reason of its parent, which it no longer listens to afterwards', async () => {
    const parent = new AbortController()
    const wait = withDeadline(realEnvironment, 'It', 1_000, parent.signal, never)
    parent.abort('closing')
    await expect(wait).rejects.toBe('closing')
    expect(getEventListeners(parent.signal, 'abort')).toEqual([])
    expect(vi.getTimerCount()).toBe(0)
  })

  test('that is over listens to its parent no longer, and holds the process until then', async () => {
    const holds: boolean[] = []
    const setTimer: Environment['setTimer'] = (_action, _waitMs, holdsProcess) => {
      holds.push(holdsProcess)
      return () => {}
    }
    const { signal } = new AbortController()
    const heard: number[] = []
    const task = async () => void heard.push(getEventListeners(signal, 'abort').length)
    await withDeadline({ setTimer }, 'It', 1_000, signal, task)
    await abortable(task(), signal)
    expect(heard).toEqual([1, 0])
    expect(getEventListeners(signal, 'abort')).toEqual([])
    expect(holds).toEqual([true])
  })

  test('of a parent that has aborted already rejects at once, and its task sees that', async () => {
    const task = vi.fn(never)
    await expect(withDeadline(realEnvironment, 'It', 1_000, AbortSignal.abort('closed'), task)).rejects.toBe(
      'closed',
    )
    expect(task).toHaveBeenCalledWith(expect.objectContaining({ aborted: true }))
  })
})

describe('an abortable promise', () => {
  test('settles like the promise, without a signal too', async () => {
    const { signal } = new AbortController()
    await expect(abortable(Promise.resolve(1), undefined)).resolves.toBe(1)
    await expect(abortable(Promise.resolve(1), signal)).resolves.toBe(1)
    await expect(abortable(Promise.reject('no'), signal)).rejects.toBe('no')
  })

  test('rejects with the reason when the signal aborts first, or has', async () => {
    const abort = new AbortController()
    const wait = abortable(never(), abort.signal)
    abort.abort('enough')
    await expect(wait).rejects.toBe('enough')
    await expect(abortable(never(), abort.signal)).rejects.toBe('enough')
  })
})
