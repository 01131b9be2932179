import { Ending } from 'rivulet/adapter'
import { expect, test, vi } from 'vitest'

const NEVER = new AbortController().signal
const forever = () => new Promise<never>(() => {})

test('a race has the outcome of its work', async () => {
  const ending = new Ending()
  expect(await ending.race(async () => 5, NEVER)).toBe(5)
  const failing = ending.race(async () => {
    throw new Error('no')
  }, NEVER)
  await expect(failing).rejects.toMatchObject({ message: 'no' })
  const throwing = ending.race(() => {
    throw new Error('at once')
  }, NEVER)
  await expect(throwing).rejects.toMatchObject({ message: 'at once' })
  ending.end(new Error('late'))
})

test('every race ends with the connection, in the order in which they began', async () => {
  const ending = new Ending()
  const ended: string[] = []
  const races = ['a', 'b'].map((name) =>
    ending.race(forever, NEVER).catch((cause) => ended.push(name, cause)),
  )
  ending.end('gone')
  await Promise.all(races)
  expect(ended).toEqual(['a', 'gone', 'b', 'gone'])
})

test('a race ends when its signal aborts, whose listener is gone then', async () => {
  const control = new AbortController()
  const { signal } = control
  const added = vi.spyOn(signal, 'addEventListener')
  const removed = vi.spyOn(signal, 'removeEventListener')
  const ending = new Ending()
  const racing = ending.race(forever, signal)
  control.abort('enough')
  await expect(racing).rejects.toBe('enough')
  await expect(ending.race(forever, signal)).rejects.toBe('enough')
  expect(added).toHaveBeenCalledTimes(2)
  expect(removed.mock.calls).toEqual(added.mock.calls)
})
