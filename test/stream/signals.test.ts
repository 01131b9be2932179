import assert from 'node:assert'
import { getEventListeners } from 'node:events'
import { createHub, type Stream } from 'rivulet'
import { describe, expect, test, vi } from 'vitest'
import { expectLaws } from '../support/ledger-laws.ts'

const reason = new Error('enough')

/** A stream with room for one message, whose time stands still. */
function open(): Stream {
  return createHub({ nowMs: () => 0 }).stream('signals', { limit: { ratePerSecond: 1, burst: 1 } }) as Stream
}

function listeners(signal: AbortSignal): number {
  return getEventListeners(signal, 'abort').length
}

describe('a signal', () => {
  test('has one abort listener a hub, however many streams, subscribers and waiters', () => {
    const { signal } = new AbortController()
    const hub = createHub({ nowMs: () => 0, streamDefaults: { limit: { ratePerSecond: 1, burst: 1 } } })
    const [stream, other] = [hub.stream('a'), hub.stream('b')]
    const elsewhere = open()
    const subscriptions = Array.from({ length: 100 }, () => stream.subscribe(() => {}, { signal }))
    const iterator = stream.iterate({ signal })
    stream.publish({})
    stream.publishWhenReady({}, { signal }).catch(() => {})
    other.subscribe(() => {}, { signal })
    expect(listeners(signal)).toBe(1)
    elsewhere.subscribe(() => {}, { signal })
    expect(listeners(signal)).toBe(2)
    for (const subscription of subscriptions) subscription.unsubscribe()
    void iterator.return?.()
    stream.close()
    expect(listeners(signal)).toBe(2)
    other.close()
    expect(listeners(signal)).toBe(1)
    elsewhere.close()
    expect(listeners(signal)).toBe(0)
  })

  test('that takes no listener leaves no subscriber behind', () => {
    const signal = { aborted: false, addEventListener: () => assert.fail('none'), removeEventListener() {} }
    const stream = open()
    expect(() => stream.subscribe(() => {}, { signal: signal as never })).toThrow('none')
    expect(() => stream.iterate({ signal: signal as never })).toThrow('none')
    expect(stream.ledger().subscribers).toBe(0)
  })

  test.each([null, 5, {}, new AbortController(), new EventTarget()])(
    'is not %j: INVALID_OPTIONS, and nothing is left',
    async (given) => {
      const stream = open()
      const refusal = expect.objectContaining({
        code: 'INVALID_OPTIONS',
        message: expect.stringMatching(/^signal is an AbortSignal, not /),
      })
      const options = { signal: given as AbortSignal }
      expect(() => stream.subscribe(() => {}, options)).toThrow(refusal)
      expect(() => stream.iterate(options)).toThrow(refusal)
      await expect(stream.publishWhenReady({}, options)).rejects.toEqual(refusal)
      expect(stream.ledger()).toMatchObject({ subscribers: 0, attempts: 0 })
    },
  )

  test('has no listener left after an abort', () => {
    const controller = new AbortController()
    const stream = open()
    stream.subscribe(() => {}, controller)
    stream.iterate(controller)
    controller.abort(reason)
    expect(listeners(controller.signal)).toBe(0)
    expect(stream.ledger().subscribers).toBe(0)
  })

  test('lets its subscribers hear everything until it aborts', () => {
    const controller = new AbortController()
    const stream = createHub().stream<{ n: number }>('s')
    const heard: number[] = []
    stream.subscribe(({ data }) => heard.push(data.n), controller)
    for (const n of [1, 2]) stream.publish({ n })
    controller.abort(reason)
    stream.publish({ n: 3 })
    expect(heard).toEqual([1, 2])
  })

  test('ends every subscription that it was given to, and no other', () => {
    const controller = new AbortController()
    const stream = open()
    const [mine, others] = [vi.fn(), vi.fn()]
    const subscriptions = [1, 2].map(() => stream.subscribe(mine, controller))
    const other = stream.subscribe(others)
    controller.abort(reason)
    stream.publish({})
    expect(mine).not.toHaveBeenCalled()
    expect(others).toHaveBeenCalledTimes(1)
    expect([...subscriptions, other].map(({ closed }) => closed)).toEqual([true, true, false])
  })

  test('that aborts stops delivery also of messages that an earlier listener publishes', () => {
    const controller = new AbortController()
    const stream = createHub().stream('s')
    const [mine, other] = [vi.fn(), vi.fn()]
    controller.signal.addEventListener('abort', () => stream.publish({}))
    const subscription = stream.subscribe(mine, controller)
    stream.subscribe(other)
    controller.abort(reason)
    expect([mine.mock.calls.length, other.mock.calls.length]).toEqual([0, 1])
    expect(subscription.closed).toBe(true)
  })

  test('is listened to again by a subscriber that comes after the last one has left', () => {
    const { signal } = new AbortController()
    const stream = open()
    for (let nth = 0; nth < 3; nth++) {
      const subscription = stream.subscribe(() => {}, { signal })
      expect(listeners(signal)).toBe(1)
      subscription.unsubscribe()
      subscription.unsubscribe()
      expect(listeners(signal)).toBe(0)
    }
  })

  test('that aborts in a fan-out keeps the message from who has not been called yet', () => {
    const controller = new AbortController()
    const stream = open()
    stream.subscribe(() => controller.abort(reason))
    const late = vi.fn()
    stream.subscribe(late, controller)
    stream.publish({})
    expect(late).not.toHaveBeenCalled()
  })

  test('rejects a queued publish with its reason, as aborted, and frees its place', async () => {
    const controller = new AbortController()
    const stream = open()
    stream.publish({})
    const waiting = stream.publishWhenReady({}, controller)
    expect(stream.ledger().waiting).toBe(1)
    controller.abort(reason)
    await expect(waiting).rejects.toBe(reason)
    expect(stream.ledger()).toMatchObject({ waiting: 0, refused: { aborted: 1 } })
    expectLaws(stream.ledger())
  })

  test('is let go when who waited is admitted', async () => {
    vi.useFakeTimers()
    try {
      const { signal } = new AbortController()
      const stream = createHub().stream('admitted', { limit: { ratePerSecond: 1, burst: 1 } })
      stream.publish({})
      const waiting = stream.publishWhenReady({ n: 2 }, { signal })
      expect(listeners(signal)).toBe(1)
      vi.advanceTimersByTime(1000)
      expect((await waiting).data).toEqual({ n: 2 })
      expect(listeners(signal)).toBe(0)
    } finally {
      vi.useRealTimers()
    }
  })

  test('that aborts while the data is read still rejects', async () => {
    const controller = new AbortController()
    const stream = open()
    stream.publish({})
    const data = {
      get a() {
        controller.abort(reason)
        return 1
      },
    }
    await expect(stream.publishWhenReady(data, controller)).rejects.toBe(reason)
    expect(stream.ledger()).toMatchObject({ waiting: 0, refused: { aborted: 1 } })
    expectLaws(stream.ledger())
  })

  test('discards what an iterator has buffered, and ends it', async () => {
    const controller = new AbortController()
    const stream = createHub().stream('buffered')
    const iterator = stream.iterate(controller)
    stream.publish({ n: 1 })
    stream.publish({ n: 2 })
    controller.abort(reason)
    expect(await iterator.next()).toEqual({ done: true, value: undefined })
    expect(stream.ledger()).toMatchObject({ subscribers: 0, iteratorDrops: 2 })
  })

  test('ends a reader that waits', async () => {
    const controller = new AbortController()
    const next = open().iterate(controller).next()
    controller.abort(reason)
    expect(await next).toEqual({ done: true, value: undefined })
  })

  test('still discards what is buffered after the stream has ended', async () => {
    const controller = new AbortController()
    const stream = createHub().stream('ended')
    const iterator = stream.iterate(controller)
    stream.publish({})
    stream.close()
    controller.abort(reason)
    expect((await iterator.next()).done).toBe(true)
    expect(listeners(controller.signal)).toBe(0)
  })
})

describe('a signal that has aborted already', () => {
  const signal = AbortSignal.abort(reason)

  test('makes publishWhenReady reject with its reason, without reading the data', async () => {
    const stream = open()
    const read = vi.fn()
    const data = new Proxy({}, { get: read, ownKeys: read })
    await expect(stream.publishWhenReady(data, { signal })).rejects.toBe(reason)
    expect(read).not.toHaveBeenCalled()
    expect(stream.ledger()).toMatchObject({ attempts: 1, accepted: 0, refused: { aborted: 1 } })
  })

  test('makes subscribe give a closed subscription, which is never called', async () => {
    const stream = open()
    const listener = vi.fn()
    const subscription = stream.subscribe(listener, { signal })
    expect(subscription.closed).toBe(true)
    await expect(subscription.ready).rejects.toMatchObject({ code: 'STREAM_CLOSED' })
    subscription.unsubscribe()
    stream.publish({})
    expect(listener).not.toHaveBeenCalled()
    expect(stream.ledger().subscribers).toBe(0)
  })

  test('makes iterate done at once', async () => {
    const stream = open()
    const iterator = stream.iterate({ signal })
    stream.publish({})
    expect(await iterator.next()).toEqual({ done: true, value: undefined })
    expect(stream.ledger()).toMatchObject({ subscribers: 0, iteratorDrops: 0 })
  })
})
