import { createHub } from 'rivulet'
import { describe, expect, test, vi } from 'vitest'
import { stopTime } from '../support/fake-time.ts'

stopTime()

const YEAR_SECONDS = 31_536_000

describe('the time to live of a stream', () => {
  test('is 0, never, unless it is set', () => {
    const stream = createHub().stream('s')
    expect([stream.ttlSeconds, stream.expiresAt]).toEqual([0, null])
    expect(vi.getTimerCount()).toBe(0)
  })

  test('removes the stream in this process when it is over, and not before', () => {
    const hub = createHub()
    const stream = hub.stream('s', { ttlSeconds: 10 })
    const removed = vi.fn()
    stream.on('removed', removed)
    expect(stream.expiresAt).toEqual(new Date(Date.now() + 10_000))
    vi.advanceTimersByTime(9_999)
    expect(stream.closed).toBe(false)
    vi.advanceTimersByTime(1)
    expect(stream.closed).toBe(true)
    expect(removed).toHaveBeenCalledExactlyOnceWith({ reason: 'expired', isLocal: true })
    expect(stream.tryPublish({})).toMatchObject({ code: 'STREAM_CLOSED' })
    expect(hub.stream('s')).not.toBe(stream)
  })

  test('counts from when it is set, and publishing does not move it', () => {
    const stream = createHub().stream('s')
    vi.advanceTimersByTime(5_000)
    stream.setTtl(10)
    const { expiresAt } = stream
    vi.advanceTimersByTime(6_000)
    stream.publish({})
    expect(stream.expiresAt).toEqual(expiresAt)
    vi.advanceTimersByTime(4_000)
    expect(stream.closed).toBe(true)
  })

  test('starts anew when it is set again, and ends with 0', () => {
    const stream = createHub().stream('s', { ttlSeconds: 10 })
    vi.advanceTimersByTime(9_000)
    stream.setTtl(10)
    vi.advanceTimersByTime(9_000)
    expect(stream.closed).toBe(false)
    stream.setTtl(0)
    expect([stream.ttlSeconds, stream.expiresAt]).toEqual([0, null])
    expect(vi.getTimerCount()).toBe(0)
    vi.advanceTimersByTime(1e6)
    expect(stream.closed).toBe(false)
  })

  // setTimeout fires at once beyond 2^31 - 1 ms.
  test('may be a year, which is longer than a timer can wait', () => {
    const stream = createHub().stream('s')
    stream.setTtl(YEAR_SECONDS)
    for (let day = 0; day < 364; day++) vi.advanceTimersByTime(86_400_000)
    expect(stream.closed).toBe(false)
    vi.advanceTimersByTime(86_400_000 - 1)
    expect(stream.closed).toBe(false)
    vi.advanceTimersByTime(1)
    expect(stream.closed).toBe(true)
  })

  test.each([[-1], [1.5], [YEAR_SECONDS + 1], [Number.NaN], ['1' as never]])(
    'refuses %s seconds',
    (seconds) => {
      const stream = createHub().stream('s')
      expect(() => stream.setTtl(seconds)).toThrow(expect.objectContaining({ code: 'INVALID_OPTIONS' }))
      expect(() => createHub().stream('s', { ttlSeconds: seconds })).toThrow(
        expect.objectContaining({ code: 'INVALID_OPTIONS' }),
      )
      expect(stream.ttlSeconds).toBe(0)
    },
  )

  test('leaves no timer on a closed stream, which takes no other', () => {
    const stream = createHub().stream('s', { ttlSeconds: 10 })
    stream.close()
    expect(vi.getTimerCount()).toBe(0)
    expect(() => stream.setTtl(1)).toThrow(expect.objectContaining({ code: 'STREAM_CLOSED' }))
    expect(stream.ttlSeconds).toBe(10)
  })

  test('hands out a date that changes nothing when it is changed', () => {
    const stream = createHub().stream('s', { ttlSeconds: 10 })
    stream.expiresAt?.setTime(0)
    expect(stream.expiresAt?.getTime()).toBe(Date.now() + 10_000)
  })
})
