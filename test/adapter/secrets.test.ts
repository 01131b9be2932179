import { AsyncLocalStorage } from 'node:async_hooks'
import { RivuletError } from 'rivulet'
import { given, Refusals } from 'rivulet/adapter'
import { afterEach, describe, expect, test, vi } from 'vitest'

const NEVER = new AbortController().signal
const text = (value: unknown) => typeof value !== 'string' && 'a string'
const FORMS = { user: text, password: text }
const DIAL = { dialMs: 1_000, signal: NEVER }

afterEach(() => void vi.useRealTimers())

describe('options that may be functions', () => {
  test('are as they were given when none is a function', async () => {
    const options = { user: 'ada', password: undefined }
    expect(await given(options, FORMS, DIAL)).toEqual(options)
  })

  test('have what their functions return, asked anew each time', async () => {
    let asked = 0
    const options = { user: () => `ada ${++asked}`, password: async () => 'secret', name: 'hub' }
    expect(await given(options, FORMS, DIAL)).toEqual({ user: 'ada 1', password: 'secret', name: 'hub' })
    expect(await given(options, FORMS, DIAL)).toMatchObject({ user: 'ada 2' })
  })

  test.each([
    [
      'throws',
      () => {
        throw new Error('the vault is sealed.')
      },
      'the vault is sealed',
    ],
    ['rejects', () => Promise.reject(new Error('sealed')), 'sealed'],
    ['returns nothing', () => undefined, 'it is a string, not undefined'],
    ['returns another type', async () => ['s3cret'], 'it is a string, not an array'],
    ['returns a number', () => 53_117, 'it is a string, not a number'],
  ])('are no value where a function %s', async (_, password: () => unknown, reason) => {
    const message = `The function of the option "password" gave no value: ${reason}.`
    const asking = given({ user: 'ada', password }, FORMS, DIAL)
    await expect(asking).rejects.toMatchObject({ code: 'TRANSPORT_UNAVAILABLE', message })
  })

  test('are abandoned when the time of the dial is over', async () => {
    vi.useFakeTimers()
    const asking = given({ user: () => new Promise<string>(() => {}) }, FORMS, DIAL)
    const message = 'The function of the option "user" gave no value: no answer within 1000 ms.'
    const outcome = expect(asking).rejects.toMatchObject({ code: 'TRANSPORT_UNAVAILABLE', message })
    await vi.advanceTimersByTimeAsync(1_000)
    await outcome
    expect(vi.getTimerCount()).toBe(0)
  })

  test('are abandoned when the dial ends, and leave no timer', async () => {
    vi.useFakeTimers()
    const [ending, reason] = [new AbortController(), new Error('closed')]
    const dial = { dialMs: 1_000, signal: ending.signal }
    const asking = given({ user: () => new Promise<string>(() => {}) }, FORMS, dial)
    ending.abort(reason)
    await expect(asking).rejects.toBe(reason)
    await expect(given({ user: () => 'ada' }, FORMS, dial)).rejects.toBe(reason)
    expect(vi.getTimerCount()).toBe(0)
  })

  test('are asked outside of any request', async () => {
    const request = new AsyncLocalStorage<string>()
    const user = () => request.getStore() ?? 'none'
    const asking = request.run('of Ada', () => given({ user }, FORMS, DIAL))
    expect(await asking).toEqual({ user: 'none' })
  })
})

describe('refusals of secrets', () => {
  const refusal = () => new RivuletError('TRANSPORT_FAILED', 'Wrong password.', { cause: 'the broker' })

  test('are for good at once where no option is a function', () => {
    const error = refusal()
    expect(new Refusals({ user: 'ada' }).judge(error)).toBe(error)
  })

  test('are for good at the fifth in a row where one is', () => {
    const refusals = new Refusals({ user: () => 'ada' })
    const judged = () => refusals.judge(refusal())
    const passing = {
      code: 'TRANSPORT_UNAVAILABLE',
      message: 'Wrong password. The options are asked again soon.',
      cause: 'the broker',
    }
    for (let row = 0; row < 4; row++) expect(judged()).toMatchObject(passing)
    expect(judged()).toMatchObject({ code: 'TRANSPORT_FAILED', message: 'Wrong password.' })
    refusals.accepted()
    expect(judged()).toMatchObject(passing)
  })

  test('are told from outages, which are not counted', () => {
    const refusals = new Refusals({ user: () => 'ada' })
    const outage = new RivuletError('TRANSPORT_UNAVAILABLE', 'Away.')
    for (let row = 0; row < 9; row++) expect(refusals.judge(outage)).toBe(outage)
    expect(refusals.judge(refusal())).toMatchObject({ code: 'TRANSPORT_UNAVAILABLE' })
  })
})
