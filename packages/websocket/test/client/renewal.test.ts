import { expect, onTestFinished, test, vi } from 'vitest'
import { Renewal } from '../../src/client/renewal.ts'

/** A renewal whose tokens come one after the other, and what it has done. */
function renewing(...tokens: (string | Error | undefined)[]) {
  vi.useFakeTimers()
  const sent: string[] = []
  const failures: unknown[] = []
  const next = async () => {
    const token = tokens.shift()
    if (token instanceof Error) throw token
    return token
  }
  const renewal = new Renewal(
    next,
    (token) => sent.push(token),
    (cause) => failures.push(cause),
  )
  onTestFinished(() => {
    renewal.stop()
    expect(vi.getTimerCount()).toBe(0)
    vi.useRealTimers()
  })
  return { renewal, tokens, sent, failures }
}

test('sends no token twice, and asks for another one after a while', async () => {
  const { renewal, tokens, sent } = renewing('first', 'first', 'second', 'second', 'third')
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

test('renews a token that lasts for longer than a timer', async () => {
  const { renewal, sent } = renewing('first', 'second')
  await renewal.firstToken()
  renewal.schedule(5e9)
  await vi.advanceTimersByTimeAsync(5e9 - 30_001)
  expect(sent).toEqual([])
  await vi.advanceTimersByTimeAsync(1)
  expect(sent).toEqual(['second'])
})

test('of a session without an end asks for nothing', async () => {
  const { renewal, tokens } = renewing('first', 'second')
  await renewal.firstToken()
  for (const never of [undefined, null, '60000']) renewal.schedule(never)
  expect(vi.getTimerCount()).toBe(0)
  expect(tokens.length).toBe(1)
})

test('without a token sends none, and asks no more', async () => {
  const { renewal, sent } = renewing()
  await renewal.firstToken()
  renewal.schedule(60_000)
  await vi.advanceTimersByTimeAsync(30_000)
  expect(sent).toEqual([])
  expect(vi.getTimerCount()).toBe(0)
})

test.each([
  ['a token', 'second'],
  ['a failure', new Error('the login is away')],
])('once stopped does nothing with %s that comes late, and asks no more', async (_, late) => {
  const { renewal, sent, failures } = renewing('first', late, 'third')
  await renewal.firstToken()
  renewal.schedule(60_000)
  vi.advanceTimersByTime(30_000)
  renewal.stop()
  await vi.advanceTimersByTimeAsync(60_000)
  renewal.schedule(60_000)
  expect(vi.getTimerCount()).toBe(0)
  expect([sent, failures]).toEqual([[], []])
})
