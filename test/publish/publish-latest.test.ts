import { createHub, type StreamOptions } from 'rivulet'
import { describe, expect, test, vi } from 'vitest'
import { pass, stopTime } from '../support/fake-time.ts'
import { expectLaws } from '../support/ledger-laws.ts'

stopTime()

function streamOf(ratePerSecond: number, burst: number, options: StreamOptions = {}) {
  const stream = createHub().stream<{ n: number }>('s', {
    limit: { ratePerSecond, burst },
    ...options,
  } as object)
  const seen: number[] = []
  stream.subscribe((message) => seen.push(message.data.n))
  return { stream, seen }
}

describe('publishLatest', () => {
  test('publishes at once and returns the message when there is room', () => {
    const { stream, seen } = streamOf(10, 1)
    expect(stream.publishLatest({ n: 1 })?.data).toEqual({ n: 1 })
    expect(seen).toEqual([1])
  })

  test('keeps only the newest value until there is capacity; replaced ones are conflated', async () => {
    const { stream, seen } = streamOf(10, 1)
    stream.publish({ n: 0 })
    for (const n of [1, 2, 3]) expect(stream.publishLatest({ n })).toBeUndefined()
    expect(stream.ledger()).toMatchObject({ attempts: 4, accepted: 1, conflated: 2, waiting: 1 })
    await pass(100)
    expect(seen).toEqual([0, 3])
    expect(stream.ledger()).toMatchObject({ attempts: 4, accepted: 2, conflated: 2, waiting: 0 })
    await pass(1000)
    expect(seen).toEqual([0, 3])
    expect(vi.getTimerCount()).toBe(0)
  })

  test('keeps one value per key, and a replacement keeps its place in the line', async () => {
    const { stream, seen } = streamOf(10, 1)
    stream.publish({ n: 0 })
    stream.publishLatest({ n: 10 }, { key: 'a' })
    stream.publishLatest({ n: 20 }, { key: 'b' })
    stream.publishLatest({ n: 11 }, { key: 'a' })
    stream.publishLatest({ n: 30 })
    expect(stream.ledger()).toMatchObject({ waiting: 3, conflated: 1 })
    await pass(300)
    expect(seen).toEqual([0, 11, 20, 30])
  })

  test('tells keys apart as a Map does, hostile names included', async () => {
    const { stream, seen } = streamOf(10, 1)
    stream.publish({ n: 0 })
    const keys = [undefined, null, 0, '0', Number.NaN, '__proto__', 'constructor', {}, {}]
    for (const [n, key] of keys.entries()) stream.publishLatest({ n }, { key })
    stream.publishLatest({ n: 100 }, { key: Number.NaN })
    expect(stream.ledger()).toMatchObject({ waiting: keys.length, conflated: 1 })
    await pass(keys.length * 100)
    expect(seen).toEqual([0, 0, 1, 2, 3, 100, 5, 6, 7, 8])
  })

  test('stands in the same line as publishWhenReady', async () => {
    const { stream, seen } = streamOf(10, 1)
    stream.publish({ n: 0 })
    const waiting = stream.publishWhenReady({ n: 1 })
    stream.publishLatest({ n: 2 })
    const last = stream.publishWhenReady({ n: 3 })
    stream.publishLatest({ n: 4 })
    await pass(300)
    await Promise.all([waiting, last])
    expect(seen).toEqual([0, 1, 4, 3])
  })

  test('starts a new place after the kept value went out', async () => {
    const { stream, seen } = streamOf(10, 1)
    stream.publish({ n: 0 })
    stream.publishLatest({ n: 1 })
    await pass(100)
    expect(stream.publishLatest({ n: 2 })).toBeUndefined()
    expect(stream.ledger()).toMatchObject({ conflated: 0, waiting: 1 })
    await pass(100)
    expect(seen).toEqual([0, 1, 2])
  })

  test('throws like publish for data that is refused, and keeps the value before', async () => {
    const { stream, seen } = streamOf(10, 1)
    stream.publish({ n: 0 })
    stream.publishLatest({ n: 1 })
    expect(() => stream.publishLatest({ n: 1n } as never)).toThrow(
      expect.objectContaining({ code: 'INVALID_DATA' }),
    )
    await pass(100)
    expect(seen).toEqual([0, 1])
    expectLaws(stream.ledger())
  })

  test('is refused past maxWaiting, while a replacement still finds its place', () => {
    const { stream } = streamOf(10, 1, { maxWaiting: 1 })
    stream.publish({ n: 0 })
    stream.publishLatest({ n: 1 }, { key: 'a' })
    expect(() => stream.publishLatest({ n: 2 }, { key: 'b' })).toThrow(
      expect.objectContaining({ code: 'QUEUE_FULL', maxWaiting: 1 }),
    )
    expect(stream.publishLatest({ n: 3 }, { key: 'a' })).toBeUndefined()
    expect(stream.ledger()).toMatchObject({
      attempts: 4,
      refused: { queueFull: 1 },
      conflated: 1,
      waiting: 1,
    })
  })

  test('refuses what is kept as closed when the stream closes, and tells whoever listens', () => {
    const { stream, seen } = streamOf(10, 1)
    const refused: string[] = []
    stream.on('refused', ({ code }) => refused.push(code))
    stream.publish({ n: 0 })
    stream.publishLatest({ n: 1 }, { key: 'a' })
    stream.publishLatest({ n: 2 }, { key: 'b' })
    stream.close()
    expect(refused).toEqual(['STREAM_CLOSED', 'STREAM_CLOSED'])
    expect(seen).toEqual([0])
    expect(stream.ledger()).toMatchObject({ attempts: 3, accepted: 1, refused: { closed: 2 }, waiting: 0 })
    expect(() => stream.publishLatest({ n: 3 })).toThrow(expect.objectContaining({ code: 'STREAM_CLOSED' }))
    expect(vi.getTimerCount()).toBe(0)
  })

  test('looks again whether the stream is closed after user code ran', () => {
    const { stream } = streamOf(10, 1)
    stream.publish({ n: 0 })
    stream.publishLatest({ n: 1 })
    const data = {
      toJSON() {
        stream.close()
        return { n: 2 }
      },
    }
    expect(() => stream.publishLatest(data as never)).toThrow(
      expect.objectContaining({ code: 'STREAM_CLOSED' }),
    )
    expect(stream.ledger()).toMatchObject({ attempts: 3, refused: { closed: 2 }, waiting: 0 })
  })
})
