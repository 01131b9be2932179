import { expect, onTestFinished, test, vi } from 'vitest'
import { Renewal } from '../../src/client/renewal.ts'

test('sends no token twice, and asks for another one after a while', async () => {
  vi.useFakeTimers()
  onTestFinished(() => void vi.useRealTimers())
  const tokens = ['first', 'first', 'second', 'second', 'third']
  const sent: string[] = []
  const next = async () => tokens.shift()
  const renewal = new Renewal(
    next,
    (token) => sent.push(token),
    () => {},
  )
  onTestFinished(() => renewal.stop())
  expect(await renewal.firstToken()).toBe('first')
  renewal.schedule(60_000)
  await vi.advanceTimersByTimeAsync(30_000)
  expect(tokens.length).toBe(3)
  expect(sent).toEqual([])
  await vi.advanceTimersByTimeAsync(5_000)
  expect(sent).toEqual(['second'])
  renewal.schedule(60_000)
  await vi.advanceTimersByTimeAsync(30_000)
  expect(sent).toEqual(['second'])
  await vi.advanceTimersByTimeAsync(5_000)
  expect(sent).toEqual(['second', 'third'])
})
